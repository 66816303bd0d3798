"""Whether a machine can run the platform's containers, and what is too small."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neonblue.stack import folders
from neonblue.stack.prerequisites import Finding

_GIBIBYTE = 1024**3
_MEMORY = 8 * _GIBIBYTE
"""Of the whole machine: what the containers use on one with little to do, and room for a build and the page cache."""
_SLACK = 15 * _GIBIBYTE // 20
"""A machine that is sold with so much has less: its firmware and kernel keep some."""
_CORES = 2
_DISK = 20 * _GIBIBYTE
_ENGINE_DATA = Path("/var/lib/docker")
_OF_CLICKHOUSE = 4
"""A quarter of the memory is ClickHouse's, at least 2 GiB: as in the embedded stack."""
_LEAST_OF_CLICKHOUSE = 2 * _GIBIBYTE


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found. Bytes; flags: the processor's, as the kernel names them."""

    memory: int
    cores: int
    disk: int
    disk_of: Path
    architecture: str
    flags: frozenset[str]

    @classmethod
    def here(cls, folder: Path) -> Machine:
        """This machine. The disk is the container engine's, where that is in its usual place; else that of `folder`."""
        place = _ENGINE_DATA if _ENGINE_DATA.is_dir() else folders.existing(folder)
        return cls(
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            cores=len(os.sched_getaffinity(0)),
            disk=shutil.disk_usage(place).free,
            disk_of=place,
            architecture=platform.machine(),
            flags=_flags(Path("/proc/cpuinfo")),
        )

    @property
    def clickhouse_memory(self) -> int:
        """Bytes that ClickHouse may take."""
        return max(_LEAST_OF_CLICKHOUSE, self.memory // _OF_CLICKHOUSE)


def examine(machine: Machine) -> tuple[Finding, ...]:
    """Each thing that was looked at, whether it will do, and what to do if not."""
    looks: tuple[Callable[[Machine], Finding], ...] = (_memory, _cores, _disk, _processor)
    return tuple(look(machine) for look in looks)


def _memory(machine: Machine) -> Finding:
    good = machine.memory >= _MEMORY - _SLACK
    advice = (
        "" if good else "8 GiB are the least: the containers' limits add up to more than this machine has"
    )
    return Finding("memory", f"{machine.memory / _GIBIBYTE:.1f} GiB", good, advice)


def _cores(machine: Machine) -> Finding:
    good = machine.cores >= _CORES
    return Finding("cores", str(machine.cores), good, "" if good else "2 are the least")


def _disk(machine: Machine) -> Finding:
    good = machine.disk >= _DISK
    advice = "" if good else "20 GiB are the least: 8 for the images, the rest for data; free some"
    return Finding("disk", f"{machine.disk / _GIBIBYTE:.0f} GiB free at {machine.disk_of}", good, advice)


def _processor(machine: Machine) -> Finding:
    """ClickHouse's binaries end with 'Illegal instruction' on a processor without SSE 4.2, or, on ARM, before v8.2."""
    needed = {"x86_64": "sse4_2", "aarch64": "atomics"}.get(machine.architecture)
    if needed is None:
        return Finding(
            "processor", machine.architecture, False, "ClickHouse's image is for x86_64 and aarch64"
        )
    good = needed in machine.flags
    found = f"{machine.architecture}, {'with' if good else 'without'} {needed}"
    advice = (
        ""
        if good
        else f"ClickHouse needs {needed}: take another machine, or give the virtual one its host's processor"
    )
    return Finding("processor", found, good, advice)


def _flags(cpuinfo: Path) -> frozenset[str]:
    for line in cpuinfo.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()
