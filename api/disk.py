"""Whether there is room for more events. Where there is too little none are taken, before anything fails."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from pathlib import Path

import structlog

from api.metrics import (
    DISK_FREE_BYTES,
    DISK_FREE_FILES,
    DISK_REFUSE_BYTES,
    DISK_REFUSE_FILES,
    DISK_WARN_BYTES,
    DISK_WARN_FILES,
)
from api.postgres.failures import DiskFull
from neonblue import disk
from neonblue.disk import Room
from neonblue.settings import DiskSettings

log = structlog.get_logger("api.disk")

_LOOK_SECONDS = 1.0


@dataclass(slots=True)
class DiskWatch:
    """The disks of the stack's folder. `state` is "unknown" while they can't be looked at: then events are taken."""

    folder: Path
    settings: DiskSettings
    full: bool = False
    state: str = Room.OK.value

    def admit(self) -> None:
        """Raises DiskFull where nothing more is to be stored."""
        if self.full:
            raise DiskFull(
                "The disk of the server is full: send the same again later, nothing of it was stored"
            )

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Look once. In a thread: a disk that does not answer must hold up nobody."""
        try:
            found = await asyncio.to_thread(disk.look, self.folder, self.settings)
        except OSError as error:
            self._become("unknown", error=error.strerror or type(error).__name__)
            return
        DISK_FREE_BYTES.set(found.space.free)
        DISK_WARN_BYTES.set(found.marks.warn)
        DISK_REFUSE_BYTES.set(found.marks.refuse)
        DISK_FREE_FILES.set(math.inf if found.space.files is None else found.space.files)
        DISK_WARN_FILES.set(disk.WARN_FILES)
        DISK_REFUSE_FILES.set(disk.REFUSE_FILES)
        self._become(
            found.room.value,
            said="" if found.room is Room.OK else found.sentence,
            free_bytes=found.space.free,
        )

    def _become(self, state: str, **details: object) -> None:
        before, self.state, self.full = self.state, state, state == Room.FULL
        if state != before:
            log.warning("disk_" + state, **details)
