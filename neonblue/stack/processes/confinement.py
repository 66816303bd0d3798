"""What a service's process may open and whom it may connect to, where the kernel can hold it to that."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import neonblue
from neonblue.stack.processes.landlock import Rules

_SYSTEM = (
    # Libraries, time zones, names of hosts and services; nothing of /etc that is anyone's secret.
    "/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/nix/store", "/gnu/store",
    "/usr/share/zoneinfo", "/usr/share/locale", "/usr/share/i18n", "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/ld.so.conf.d", "/etc/localtime", "/etc/timezone", "/etc/hosts", "/etc/host.conf", "/etc/hostname",
    "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols", "/etc/locale.alias",
    "/etc/passwd", "/etc/group", "/run/systemd/resolve",
    # Whom to trust, and how to encrypt: without the keys that some systems keep beside it.
    "/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf", "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates", "/var/lib/ca-certificates", "/etc/pki/ca-trust", "/etc/pki/java",
    "/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/tls/openssl.cnf", "/etc/crypto-policies",
    "/usr/share/crypto-policies",
    # What the kernel tells of memory, processors and this process; of others what any user may see.
    "/proc", "/sys/fs/cgroup", "/sys/devices/system", "/sys/kernel/mm", "/dev/urandom", "/dev/random", "/dev/zero",
)  # fmt: skip
_DEVICES = ("/dev/null",)


@dataclass(frozen=True, slots=True)
class Confinement:
    """`lists`: folders whose names may be read; `reads`: what may be read and executed; `writes`: what is its own.

    Each with all that is beneath. `binds` and `connects` are TCP ports; None: any. What every program needs of the
    system is readable without being named.
    """

    writes: tuple[Path, ...]
    binds: tuple[int, ...]
    connects: tuple[int, ...] | None
    reads: tuple[Path, ...] = ()
    lists: tuple[Path, ...] = ()

    def rules(self) -> Rules:
        """As `landlock.ruleset` takes them."""
        return {
            "lists": _texts(self.lists),
            "reads": [*_SYSTEM, *_texts(self.reads)],
            "writes": [*_DEVICES, *_texts(self.writes)],
            "binds": list(self.binds),
            "connects": None if self.connects is None else list(self.connects),
        }


def ports_of(addresses: str, usual: int) -> list[int]:
    """The ports of addresses separated by commas, each host:port, or a host at its `usual` port."""
    ports = (one.rpartition(":")[2] for one in addresses.split(","))
    return [int(port) if port.isdecimal() else usual for port in ports]


def _texts(paths: Iterable[Path]) -> list[str]:
    return [os.fspath(path) for path in paths]


@dataclass(frozen=True, slots=True)
class Library:
    """Where this interpreter, its packages and this project's are: `reads` whole, of `lists` the names."""

    reads: tuple[Path, ...]
    lists: tuple[Path, ...]


def python_library(private: Path) -> Library:
    """What a program in Python reads, without anything that holds the folder `private`."""
    reads = {*_interpreter(), *_site_packages(), Path(neonblue.__file__).parent}
    # Importing from a folder begins with its names: a checkout's, or one of PYTHONPATH.
    lists = {Path(neonblue.__file__).parent.parent}
    for entry in _given():
        lists.add(entry)
        reads.update(_importable(entry))
    lists -= reads
    return Library(
        tuple(sorted(path for path in reads if not private.is_relative_to(path))), tuple(sorted(lists))
    )


def _interpreter() -> Iterator[Path]:
    """Not a prefix itself: that may be somebody's folder of work, with the data folder in it. Nor its `bin`: of the
    system's Python that is every program of the system."""
    yield Path(sys.executable)
    yield Path(sys.executable).resolve()
    for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}:
        for name in ("lib", "lib64", "pyvenv.cfg"):
            yield Path(prefix, name)


def _site_packages() -> Iterator[Path]:
    yield from map(Path, site.getsitepackages())
    if site.ENABLE_USER_SITE:
        yield Path(site.getusersitepackages())


def _given() -> Iterator[Path]:
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    yield from (Path(entry).absolute() for entry in entries if entry)


def _importable(folder: Path) -> Iterator[Path]:
    """What beneath `folder` can be a module or tells of one."""
    try:
        children = list(folder.iterdir()) if folder.is_dir() else [folder]
    except OSError:
        return
    for child in children:
        package = child.name.isidentifier() and child.is_dir()
        if package or child.suffix in {".py", ".so", ".pth", ".zip", ".dist-info"}:
            yield child
