"""Whether the stack can keep its data in a folder, and what to do where it can't; closing it to other users."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from neonblue.stack import catalogue
from neonblue.stack.errors import RequirementError

_log = structlog.get_logger("neonblue.stack")

PRIVATE_UMASK = 0o077
_OTHERS = 0o077
LONGEST_BYTES = 700
"""Of the folder's path: PostgreSQL takes 1,023 bytes, and what lies below takes some of them."""
_ADVICE = "choose another one with --data-dir or NEONBLUE_DATA_DIR"


def refusal(path: Path) -> str:
    """Why the stack can't keep its data in `path`, and what to do; '' where it can. Changes nothing."""
    name = str(path)
    if not name.isprintable() or any(letter in name for letter in "?\\"):
        return (
            f"the data folder {name!r} can't be used: ClickHouse's engine can't open a path with '?', a backslash "
            f"or an unprintable character; {_ADVICE}"
        )
    if (length := len(os.fsencode(name))) > LONGEST_BYTES:
        return f"the data folder's path is {length} bytes long, {LONGEST_BYTES} are the most; {_ADVICE}"
    try:
        nearest = existing(path)
        if not nearest.is_dir():
            return f"the data folder {path} can't be made: {nearest} is a file; {_ADVICE}"
        if os.access(nearest, os.W_OK | os.X_OK):
            return ""
        owner = f"{nearest} belongs to {_owner(nearest)}, and you are {_name(os.geteuid())}"
    except OSError as error:
        owner = f"{error.filename}: {error.strerror}"
    return f"the data folder {path} can't be written ({owner}): make it writable, or {_ADVICE}"


def require(path: Path) -> None:
    """Make the folder and its logs' folder where they are missing, closed to other users, as they are from then on.

    Raises ``RequirementError`` with the reason.
    """
    if reason := refusal(path):
        raise RequirementError(reason)
    try:
        with private_files():
            (path / "logs").mkdir(parents=True, exist_ok=True)
        close(path)
    except OSError as error:
        raise RequirementError(
            f"the data folder {path} can't be written ({error.filename}: {error.strerror}): {_ADVICE}"
        ) from error


@contextmanager
def private_files() -> Iterator[None]:
    """Meanwhile nothing that this process makes, or one that it starts, is open to other users."""
    before = os.umask(PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)


OURS = catalogue.folders() | frozenset({
    "logs", "control", "neonblue.env", "neonblue.env.tmp", "neonblue.tmp", "supervisor.lock", "processes.json",
    "processes.json.tmp", "stream.json", "stream.json.tmp",
})  # fmt: skip
"""All that the stack puts into its data folder. Whatever else lies there is somebody's own."""


def close(path: Path) -> None:
    """Close the data folder, and the logs, to other users; all that is in it, where the folder stood open until now.

    A folder that holds something of its owner's as well, a home or a checkout, keeps its mode: there only what is
    the stack's is closed. Where the modes can't be changed, a line in the log says so. Raises OSError.
    """
    was_open = is_open(path)
    try:
        for name in sorted(OURS) if was_open else ["logs"]:
            _close_tree(path / name)
        if was_open and (shared := foreign(path)):
            _log.warning("data_folder_stays_open", folder=str(path), holds=shared[:3])
        elif was_open:
            # The last step: it tells that the others are done.
            path.chmod(0o700)
    except PermissionError as error:
        _log.warning("data_folder_stays_open", folder=str(path), reason=str(error))


def is_open(path: Path) -> bool:
    """Whether other users may look into the folder."""
    return bool(path.stat().st_mode & _OTHERS)


def foreign(path: Path) -> list[str]:
    """The names in the data folder that are not the stack's."""
    return sorted(entry.name for entry in path.iterdir() if entry.name not in OURS)


def _close_tree(top: Path) -> None:
    if not os.path.lexists(top):
        return
    _close_one(os.fspath(top), None)
    for _, folders, files, descriptor in os.fwalk(top, follow_symlinks=False):
        for name in (*folders, *files):
            _close_one(name, descriptor)


def _close_one(name: str, folder: int | None) -> None:
    """Follows no link, not even one that a service's user puts in a file's place meanwhile."""
    try:
        opened = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        return
    try:
        mode = os.fstat(opened).st_mode
        if not stat.S_ISLNK(mode) and mode & _OTHERS:
            os.chmod(f"/proc/self/fd/{opened}", stat.S_IMODE(mode) & ~_OTHERS)  # noqa: PTH101
    finally:
        os.close(opened)


def existing(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists, as far as this user may look."""
    return next(folder for folder in (path, *path.parents) if _exists(folder))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _owner(path: Path) -> str:
    return _name(path.stat().st_uid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
