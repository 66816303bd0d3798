"""Whether the stack can keep its data in a folder, and what to do where it can't."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from neonblue.stack.errors import RequirementError

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
    """Make the folder and its logs' folder where they are missing. Raises ``RequirementError`` with the reason."""
    if reason := refusal(path):
        raise RequirementError(reason)
    try:
        (path / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequirementError(
            f"the data folder {path} can't be written ({error.filename}: {error.strerror}): {_ADVICE}"
        ) from error


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
