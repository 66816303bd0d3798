"""What ``neonblue status`` tells: the record on disk, checked against the processes that are there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from neonblue.stack.processes import usage
from neonblue.stack.processes.process import alive
from neonblue.stack.supervisor import folder_lock, record
from neonblue.stack.supervisor.board import State, Status


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service or step. Bytes and seconds; `uptime_seconds` is None where no process runs."""

    name: str
    kind: str
    state: str
    pid: int | None
    address: str
    memory_bytes: int
    resident_bytes: int
    cpu_seconds: float
    restarts: int
    uptime_seconds: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole stack; `memory_bytes` is the total, the supervisor included."""

    running: bool
    ready: bool
    supervisor: int | None
    data_dir: str
    memory_bytes: int
    services: tuple[ServiceView, ...]


def take(data_dir: Path) -> Overview:
    """Look now. Works whether or not the stack runs."""
    supervisor = folder_lock.holder(data_dir)
    views = tuple(_view(status, supervisor is not None) for status in record.read(data_dir))
    own = usage.of_process(supervisor).memory_bytes if supervisor is not None else 0
    return Overview(
        running=supervisor is not None,
        ready=supervisor is not None and bool(views) and all(view.state == State.READY for view in views),
        supervisor=supervisor,
        data_dir=str(data_dir),
        memory_bytes=own + sum(view.memory_bytes for view in views),
        services=views,
    )


def _view(status: Status, supervised: bool) -> ServiceView:
    lives = status.identity is not None and alive(status.identity)
    used = usage.of(status.identity) if lives else usage.NOTHING
    state = status.state if supervised else (State.UNSUPERVISED if lives else State.STOPPED)
    detail = status.detail if supervised else ""
    if status.kind == "service" and state == State.READY and not lives:
        state, detail = State.UNREADY, "its process is not there; the supervisor has not said so yet"
    return ServiceView(
        name=status.name,
        kind=status.kind,
        state=state,
        pid=status.identity.pid if status.identity is not None and lives else None,
        address=status.address,
        memory_bytes=used.memory_bytes,
        resident_bytes=used.resident_bytes,
        cpu_seconds=round(used.cpu_seconds, 2),
        restarts=status.restarts,
        uptime_seconds=round(time.time() - status.started, 1) if lives and status.started else None,
        detail=detail,
    )
