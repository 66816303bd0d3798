"""Whether a process on the other end of a socket is one of the stack's services: the file's mode keeps those out that
run as another user, and Landlock confines no connection to a Unix socket."""

from __future__ import annotations

import os
import re
from collections.abc import Set
from pathlib import Path

import psutil

_NO_NEW_PRIVILEGES = re.compile(r"^NoNewPrivs:\s*1$", re.MULTILINE)


def may_be_one_of(services: Set[int], pid: int) -> bool:
    """Whether process `pid` is one of the processes `services`, was started by one, or can't be told from such.

    That is so of one that is gone, and of one that may gain no privileges where this process may: what a confined
    service starts stays so, even once it has left its session and its parents have ended.
    """
    try:
        kin = {pid, os.getsid(pid), *(parent.pid for parent in psutil.Process(pid).parents())}
        held = _gains_no_privileges(pid) and not _gains_no_privileges(os.getpid())
    except (psutil.Error, OSError):
        return True
    return held or not kin.isdisjoint(services)


def _gains_no_privileges(pid: int) -> bool:
    """Raises OSError where there is no such process."""
    return (
        _NO_NEW_PRIVILEGES.search(Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace"))
        is not None
    )
