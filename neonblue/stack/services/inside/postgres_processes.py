"""Server processes that outlived their postmaster.

They hold the shared memory, and a new server refuses to start while they do."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import psutil

from neonblue.stack.processes.process import kill

_GRACE_SECONDS = 10.0


def orphans(folder: Path) -> list[psutil.Process]:
    """PostgreSQL's processes that work in the data folder `folder`, found by their working directory.

    Each has a session of its own, so the postmaster's session does not lead to them.
    """
    found = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.info["name"].startswith("postgres") and Path(process.cwd()) == folder.resolve():
                found.append(process)
    return found


def end_orphans(folder: Path) -> None:
    """Wait for them to notice that they are alone, at once unless they are busy; then kill them."""
    _, busy = psutil.wait_procs(orphans(folder), timeout=1)
    kill(busy, signal.SIGQUIT, _GRACE_SECONDS)
