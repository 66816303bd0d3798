"""How much room there is for data, and whether that will do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from neonblue.settings import DiskSettings

MEBIBYTE = 1024**2
_WARN, _REFUSE = 2048, 512
_WARN_PART, _REFUSE_PART = 5, 20
"""Of a disk that is too small for them."""
_HOLD_DATA = ("postgres", "clickhouse", "kafka", "connect", "valkey", "dagster", "reports", "logs")
"""Folders in the data folder; each may be on another disk."""
WARN_FILES, REFUSE_FILES = 20_000, 2_000


class Room(StrEnum):
    """What may be done with the room that is left."""

    OK = "ok"
    LOW = "low"
    FULL = "full"
    """Not used up: PostgreSQL, Kafka and ClickHouse still have what they need to end their work well."""


@dataclass(frozen=True, slots=True)
class Space:
    """Of one disk. Bytes that an ordinary user may still write; how many more files it takes, None: any number."""

    folder: Path
    free: int
    total: int
    files: int | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """Bytes: below `warn` it is told, below `refuse` no events are taken."""

    warn: int
    refuse: int

    @classmethod
    def of(cls, settings: DiskSettings, total: int) -> Marks:
        """Of a disk of `total` bytes."""
        refuse = _mark(settings.refuse_mebibytes, _REFUSE, total // _REFUSE_PART)
        return cls(max(refuse, _mark(settings.warn_mebibytes, _WARN, total // _WARN_PART)), refuse)


@dataclass(frozen=True, slots=True)
class Finding:
    """One look at the disks that hold the data: the one that is worst off."""

    space: Space
    marks: Marks
    room: Room

    @property
    def sentence(self) -> str:
        """What is the matter, and what to do."""
        space, marks = self.space, self.marks
        left = f"{_mebibytes(space.free)} free of {_mebibytes(space.total)} on {space.folder}"
        if space.files is not None and space.files < WARN_FILES:
            left += f", which takes only {space.files} more files"
        if self.room is Room.FULL:
            return (
                f"full: {left}; events are refused until there are more than {_mebibytes(marks.refuse)}: "
                "free some (docs/operations.md, A full disk)"
            )
        return f"low: {left}; events are refused below {_mebibytes(marks.refuse)}: free some soon"


def judge(space: Space, marks: Marks) -> Room:
    """Whether the room will do."""
    files = WARN_FILES if space.files is None else space.files
    if space.free < marks.refuse or files < REFUSE_FILES:
        return Room.FULL
    return Room.LOW if space.free < marks.warn or files < WARN_FILES else Room.OK


def look(folder: Path, settings: DiskSettings) -> Finding:
    """Look at the disks of the data folder `folder` and of the services' folders in it. Raises OSError."""
    found = []
    for space in _spaces(folder):
        marks = Marks.of(settings, space.total)
        found.append(Finding(space, marks, judge(space, marks)))
    severity = list(Room)
    return max(found, key=lambda one: (severity.index(one.room), -one.space.free))


def _spaces(folder: Path) -> Iterator[Space]:
    top = next(place for place in (folder, *folder.parents) if place.exists())
    inner = [folder / name for name in _HOLD_DATA if (folder / name).is_dir()]
    seen = set()
    for place in (top, *inner):
        device = place.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield _space(place)


def _space(folder: Path) -> Space:
    told = os.statvfs(folder)
    size = told.f_frsize
    # A file system without a fixed number of files says 0.
    return Space(folder, told.f_bavail * size, told.f_blocks * size, told.f_favail if told.f_files else None)


def _mark(given: int | None, usual: int, of_a_small_disk: int) -> int:
    return min(usual * MEBIBYTE, of_a_small_disk) if given is None else given * MEBIBYTE


def _mebibytes(count: int) -> str:
    return f"{count // MEBIBYTE:,} MiB"
