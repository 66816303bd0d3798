"""The services' log files: one each, limited in size."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import structlog

_log = structlog.get_logger("neonblue.stack")

LIMIT_BYTES = 16 * 1024 * 1024
_ROOM = 4
"""So many times what is kept of a log must be free for it."""


def path(data_dir: Path, service: str) -> Path:
    return data_dir / "logs" / f"{service}.log"


def limit(log: Path, most: int = LIMIT_BYTES) -> None:
    """Once `log` is larger than `most` bytes, move its end, so many bytes, to ``….log.1`` and empty it. Never raises.

    The services append, so they go on in the emptied file without being told. Where the disk has no room for a copy
    the log is emptied without one.
    """
    try:
        size = log.stat().st_size if log.exists() else 0
        if size > most:
            kept = _keep_end(log, size, most)
            with log.open("r+b") as file:
                file.truncate(0)
            if not kept:
                _log.warning("log_cut", log=log.name, bytes=size)
    except OSError as error:
        _log.warning("log_not_limited", log=log.name, error=str(error))


def _keep_end(log: Path, size: int, most: int) -> bool:
    """Whether the log's last `most` bytes are in its copy."""
    copy = log.with_name(log.name + ".1")
    try:
        with log.open("rb") as source, copy.open("wb") as target:  # which gives back what the one before took
            if shutil.disk_usage(log.parent).free >= _ROOM * most:
                source.seek(max(0, size - most))
                while most > 0 and (piece := source.read(min(most, 1024**2))):
                    target.write(piece)
                    most -= len(piece)
                return True
    except OSError:
        pass
    with suppress(OSError):
        copy.unlink(missing_ok=True)
    return False


def tail(log: Path, lines: int) -> list[str]:
    """The last `lines` lines, read from the end."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 400 * lines - 4096))
        return file.read().decode(errors="replace").splitlines()[-lines:]
