"""What the supervisor remembers of the stream on disk: whose data they were, and why ClickHouse may lack something."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from neonblue.files import write_private

FILE = "stream.json"
_AT = ", noted at "
_lock = threading.Lock()


class Remembered(msgspec.Struct, frozen=True):
    """`topics`: each topic's id by its name. `clickhouse`: the identity of its data; '' before they were first seen.

    `to_repair`: what happened since ClickHouse was last seen complete. `broken_parts`: those of its tables that are
    known to have been set aside. `position`: of each partition of the events' topic, up to where ClickHouse is known to
    have read it, or what it lacks is known; None: since before that was noted.
    """

    topics: dict[str, str] = {}
    clickhouse: str = ""
    to_repair: tuple[str, ...] = ()
    broken_parts: tuple[str, ...] = ()
    position: dict[int, int] | None = None


class StreamMemory:
    """One file in the data folder. Safe with many threads of one process; a file that is damaged counts as none."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE

    def read(self) -> Remembered:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Remembered)
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
            return Remembered()

    def topics_are(self, ids: Mapping[str, str]) -> None:
        self._change(topics=dict(ids))

    def position_is(self, offsets: Mapping[int, int]) -> None:
        """As `Remembered.position`; nothing of a topic that is new."""
        self._change(position=dict(offsets))

    def broken_parts_are(self, names: tuple[str, ...]) -> None:
        self._change(broken_parts=names)

    def clickhouse_is(self, identity: str) -> None:
        self._change(clickhouse=identity)

    def repair(self, reason: str) -> None:
        """From now on ClickHouse is to be compared with PostgreSQL, until `repaired`, also after a restart.

        What happens once more stands there once, with its last time: a repair of the first does not end it.
        """
        noted = f"{reason}{_AT}{datetime.now(UTC).isoformat(timespec='milliseconds')}"
        with _lock:
            before = self.read()
            others = (other for other in before.to_repair if other.rpartition(_AT)[0] != reason)
            self._write(msgspec.structs.replace(before, to_repair=(*others, noted)))

    def repaired(self, reasons: tuple[str, ...]) -> None:
        """What happened meanwhile stays noted."""
        with _lock:
            before = self.read()
            left = tuple(reason for reason in before.to_repair if reason not in reasons)
            self._write(msgspec.structs.replace(before, to_repair=left))

    def _change(self, **changes: object) -> None:
        with _lock:
            before = self.read()
            after = msgspec.structs.replace(before, **changes)
            if after != before:
                self._write(after)

    def _write(self, remembered: Remembered) -> None:
        write_private(self._path, msgspec.json.format(msgspec.json.encode(remembered)).decode())
        with self._path.open("rb") as file:
            os.fsync(file.fileno())
