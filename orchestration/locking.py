"""One writer of the models at a time: Dagster's builds, and dbt by hand.

Two builds at once would replace the same days, and the one that read first might replace last. Dagster's pool holds for
its own runs alone, so each writer holds this lock as well. It is a file's, and dies with its holder. Plain dbt has
none: it looks in ClickHouse whether a build is at work.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from neonblue.settings import Settings

_POLL_SECONDS = 0.5
HELD = "NEONBLUE_DBT_LOCK"
"""The environment variable that tells dbt that its caller holds the lock."""


@contextmanager
def building(settings: Settings, waits: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock; see `acquire`."""
    descriptor = acquire(settings, waits)
    try:
        yield
    finally:
        os.environ.pop(HELD, None)
        os.close(descriptor)


def acquire(settings: Settings, waits: Callable[[str], None]) -> int:
    """The lock of this data folder's models, as the descriptor that holds it until it is closed.

    Processes that are started from now on see it in their environment. Where another has it, `waits` is called once
    with who that is.
    """
    folder = settings.data_dir / "dbt"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "build.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    told = False
    try:
        while not _locked(descriptor):
            if not told:
                waits(f"the build of process {os.pread(descriptor, 32, 0).decode().strip() or 'unknown'}")
                told = True
            time.sleep(_POLL_SECONDS)
    except BaseException:
        os.close(descriptor)
        raise
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    os.environ[HELD] = "held"
    return descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
