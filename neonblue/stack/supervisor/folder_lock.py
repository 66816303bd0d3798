"""One supervisor per data folder: a lock that dies with its holder, and names it."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from neonblue.stack.errors import AlreadyRunningError

LOCK_FILE = "supervisor.lock"
_LOCKS = Path("/proc/locks")
_ATTEMPTS = 6
_ATTEMPT_SECONDS = 0.05


class FolderLock:
    """Held while open. Raises ``AlreadyRunningError`` with the holder's process number when taken."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK_FILE
        self._descriptor: int | None = None

    def acquire(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _try_lock(descriptor):
            os.close(descriptor)
            raise AlreadyRunningError(
                f"NeonBlue already runs in {self._path.parent} (process {_read(self._path) or 'unknown'}): "
                "stop it with 'neonblue down', or choose another --data-dir"
            )
        self._descriptor = descriptor
        with suppress(OSError):  # a full disk: the kernel knows the holder, too
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> FolderLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _try_lock(descriptor: int) -> bool:
    # More than once, because `holder` takes the lock for a moment to see whether it is free.
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_ATTEMPT_SECONDS)
        else:
            return True
    return False


def _read(path: Path) -> int | None:
    text = path.read_text().strip()
    return int(text) if text.isdecimal() else _known_to_the_kernel(path)


def _known_to_the_kernel(path: Path) -> int | None:
    """The process that holds the file's lock, where it could not write its number."""
    inode = str(path.stat().st_ino)
    with suppress(OSError):
        for line in _LOCKS.read_text().splitlines():
            _, kind, _, mode, process, place, *_ = line.split()
            if (kind, mode, place.rpartition(":")[2]) == ("FLOCK", "WRITE", inode) and _has_open(
                process, path
            ):
                return int(process)
    return None


def _has_open(process: str, path: Path) -> bool:
    """Files of other disks have the same numbers."""
    with suppress(OSError):
        return any(file.samefile(path) for file in Path("/proc", process, "fd").iterdir() if file.exists())
    return False


def holder(data_dir: Path) -> int | None:
    """The process that runs the stack in `data_dir`, or None."""
    path = data_dir / LOCK_FILE
    if not path.exists():
        return None
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(path)
    return None
