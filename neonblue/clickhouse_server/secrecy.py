"""Takes what this process was told out of its environment, which a file below /proc shows to its queries."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_KEPT = frozenset({"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR"})
_KEPT_FAMILIES = ("LC_", "LD_", "PYTHON", "SSL_CERT_", "MALLOC_")
_START, _END = 47, 48
"""Where the environment begins and ends: fields env_start and env_end of /proc/self/stat, counted after the name."""


def forget_environment() -> None:
    """Overwrite every value but those that libraries go by, where the kernel put them at the program's start."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[_START]), int(fields[_END])
    place = start
    for entry in ctypes.string_at(start, end - start).split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if not _kept(os.fsdecode(name)):
            os.environ.pop(os.fsdecode(name), None)
            ctypes.memset(place + len(name) + len(equals), 0, len(value))
        place += len(entry) + 1


def _kept(name: str) -> bool:
    return name in _KEPT or name.startswith(_KEPT_FAMILIES)
