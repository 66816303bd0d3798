"""The supervisor's record on disk: what runs, for ``neonblue status`` and for a start after a crash."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from neonblue.stack.processes.process import kill, members
from neonblue.stack.supervisor.board import Status

_log = structlog.get_logger("neonblue.stack")

RECORD_FILE = "processes.json"
_RETRY_SECONDS = 1.0


def write(data_dir: Path, statuses: tuple[Status, ...]) -> None:
    """Replace the record in one step. Raises OSError, and leaves the one before."""
    staging = data_dir / f"{RECORD_FILE}.tmp"
    try:
        staging.write_bytes(msgspec.json.format(msgspec.json.encode(statuses)))
        staging.replace(data_dir / RECORD_FILE)
    except OSError:
        with suppress(OSError):
            staging.unlink()  # of a full disk it would keep the rest
        raise


class Recorder:
    """Writes the record at each change; where that fails, again and again until it is as the statuses are."""

    def __init__(self, data_dir: Path, statuses: Callable[[], tuple[Status, ...]]) -> None:
        self._data_dir = data_dir
        self._statuses = statuses
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._behind = False

    def write(self) -> None:
        """Never raises."""
        with self._lock:
            if self._written() or self._behind:
                return
            with suppress(RuntimeError):  # no more threads now: the next change tries again
                threading.Thread(target=self._catch_up, name="stack-record", daemon=True).start()
                self._behind = True

    def close(self) -> None:
        """Try no more."""
        self._ended.set()

    def _written(self) -> bool:
        try:
            write(self._data_dir, self._statuses())
        except (OSError, ValueError) as error:  # ValueError: a detail that is no UTF-8
            if not self._behind:
                _log.warning("record_not_written", error=str(error))
            return False
        return True

    def _catch_up(self) -> None:
        while not self._ended.wait(_RETRY_SECONDS):
            with self._lock:
                if self._written():
                    self._behind = False
                    _log.info("record_written")
                    return


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
            _log.warning("stray_ended", node=status.name, processes=len(strays))
            kill(strays)
            ended.append(status.name)
    return ended
