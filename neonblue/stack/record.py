"""The supervisor's record on disk: what runs, for ``neonblue status`` and for a start after a crash."""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog

from neonblue.stack.board import Status
from neonblue.stack.process import kill, members

_log = structlog.get_logger("neonblue.stack")

RECORD_FILE = "processes.json"


def write(data_dir: Path, statuses: tuple[Status, ...]) -> None:
    staging = data_dir / f"{RECORD_FILE}.tmp"
    staging.write_bytes(msgspec.json.format(msgspec.json.encode(statuses)))
    staging.replace(data_dir / RECORD_FILE)


def read(data_dir: Path) -> tuple[Status, ...]:
    """The last record; empty where there is none or a crash damaged it."""
    try:
        return msgspec.json.decode((data_dir / RECORD_FILE).read_bytes(), type=tuple[Status, ...])
    except (FileNotFoundError, msgspec.DecodeError):
        return ()


def end_strays(data_dir: Path) -> list[str]:
    """End what a supervisor that was killed left running; returns the services' names."""
    ended = []
    for status in read(data_dir):
        identities = [one for one in (status.identity, status.beside) if one is not None]
        if strays := [process for one in identities for process in members(one)]:
            _log.warning("stray_ended", service=status.name, processes=len(strays))
            kill(strays)
            ended.append(status.name)
    return ended
