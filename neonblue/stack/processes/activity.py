"""What a service's processes do: the processor time they took, and which are stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from neonblue.stack.processes.process import Identity, alive


@dataclass(frozen=True, slots=True)
class Activity:
    """Of one process and its descendants, those that have ended included. `stopped` are the descendants that are."""

    cpu_seconds: float = 0.0
    leader_stopped: bool = False
    stopped: tuple[psutil.Process, ...] = ()


def observe(identity: Identity) -> Activity:
    """Look now; nothing is seen of a process that is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        if alive(identity):
            leader = psutil.Process(identity.pid)
            return _summary(leader, leader.children(recursive=True))
    return Activity()


def _summary(leader: psutil.Process, descendants: Sequence[psutil.Process]) -> Activity:
    used, stopped = _cpu_seconds(leader), []
    for process in descendants:
        with contextlib.suppress(psutil.NoSuchProcess):
            used += _cpu_seconds(process)
            if process.status() == psutil.STATUS_STOPPED:
                stopped.append(process)
    return Activity(used, leader.status() == psutil.STATUS_STOPPED, tuple(stopped))


def _cpu_seconds(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:4]))  # its own and its ended children's, in user and in system mode
