"""Unix sockets of the stack: each in a folder that only its owner enters.

A socket's path holds 107 bytes at most, and gRPC reads some characters as an address does. A data folder may be longer,
and named anything: then the socket lies in a private folder of the system's temporary one, which a link leads to.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import threading
from pathlib import Path

_LONGEST = 107
_PLAIN = re.compile(r"[A-Za-z0-9/._ +=@-]+")
_NAME = "socket"
_making = threading.Lock()
"""The services that want the same socket are started by threads of one process."""
_SHORT = "/tmp"  # noqa: S108 - where the temporary folder's own path is too long; what is made there is private


def path(folder: Path, name: str) -> Path:
    """The path of the socket `name` of `folder`, in a folder of mode 0700 that exists. The same one each time."""
    place = folder / name
    with _making:
        return (_beside(place) if _fits(place / _NAME) else _elsewhere(place)) / _NAME


def _beside(place: Path) -> Path:
    if place.is_symlink():
        place.unlink()
    place.mkdir(mode=0o700, exist_ok=True)
    place.chmod(0o700)
    return place


def _elsewhere(place: Path) -> Path:
    if place.is_symlink():
        target = place.readlink()
        if _fits(target / _NAME) and _private(target):
            return target
        place.unlink()
    elif place.is_dir():  # the data folder had a shorter path
        shutil.rmtree(place)
    usual = Path(tempfile.gettempdir())
    made = tempfile.mkdtemp(prefix="neonblue-", dir=usual if _fits(usual / ("x" * 20) / _NAME) else _SHORT)
    place.symlink_to(made)
    return Path(made)


def _fits(socket: Path) -> bool:
    return len(os.fsencode(socket)) <= _LONGEST and _PLAIN.fullmatch(str(socket)) is not None


def _private(folder: Path) -> bool:
    """Whether it is a folder of ours alone: after a restart of the machine it may be gone, or be somebody else's."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    ours = found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == 0o700
    return stat.S_ISDIR(found.st_mode) and ours
