"""Memory and processor time of the services' processes."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from neonblue.stack.processes.process import Identity, members


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one service, its child processes included.

    `memory_bytes` counts a page that several processes share once (proportional set size), so that services
    may be added up; where the system does not tell, it is the resident size. `cpu_seconds` is
    since the start.
    """

    processes: int
    memory_bytes: int
    resident_bytes: int
    cpu_seconds: float


NOTHING = Usage(0, 0, 0, 0.0)


def of(identity: Identity | None) -> Usage:
    return _sum(members(identity)) if identity is not None else NOTHING


def of_process(pid: int) -> Usage:
    """Of one process alone: the supervisor."""
    try:
        return _sum([psutil.Process(pid)])
    except psutil.NoSuchProcess:
        return NOTHING


def _sum(processes: list[psutil.Process]) -> Usage:
    parts = [part for process in processes if (part := _one(process)) is not None]
    return Usage(
        processes=len(parts),
        memory_bytes=sum(part.memory_bytes for part in parts),
        resident_bytes=sum(part.resident_bytes for part in parts),
        cpu_seconds=sum(part.cpu_seconds for part in parts),
    )


def _one(process: psutil.Process) -> Usage | None:
    try:
        times = process.cpu_times()
        resident = process.memory_info().rss
        try:
            proportional = process.memory_full_info().pss
        except psutil.AccessDenied:
            proportional = resident
    except psutil.NoSuchProcess:
        return None
    return Usage(1, proportional, resident, times.user + times.system)
