"""The services' log files: one each, limited in size."""

from __future__ import annotations

import shutil
from pathlib import Path

LIMIT_BYTES = 16 * 1024 * 1024


def path(data_dir: Path, service: str) -> Path:
    return data_dir / "logs" / f"{service}.log"


def limit(log: Path, most: int = LIMIT_BYTES) -> None:
    """Once `log` is larger than `most` bytes, move its content to ``….log.1`` and empty it.

    The services append, so they go on in the emptied file without being told.
    """
    if log.exists() and log.stat().st_size > most:
        shutil.copyfile(log, log.with_name(log.name + ".1"))
        with log.open("r+b") as file:
            file.truncate(0)


def tail(log: Path, lines: int) -> list[str]:
    """The last `lines` lines, read from the end."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 400 * lines - 4096))
        return file.read().decode(errors="replace").splitlines()[-lines:]
