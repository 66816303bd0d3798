"""Files that a command writes where a user says: never over what is not a report of before."""

from __future__ import annotations

from pathlib import Path

from neonblue.cli.terminal import fail

_HTML = (b"<!doctype html", b"<html")
_BEGINNINGS = {".png": (b"\x89png",), ".pdf": (b"%pdf",), ".html": _HTML, ".htm": _HTML, "": _HTML}
"""How a file begins, by its name's end, that may be written over, in small letters."""


def require_replaceable(target: Path, option: str, *, read: Path | None = None) -> None:
    """End the command where writing `target` would cost a user data.

    read: the file that the command reads; no other name of it, by a link, may be written either. A file that is there
    is written over only where it is empty, or what the target's name says: a page, or a figure. Devices may be written.
    """
    try:
        if read is not None and target.exists() and read.exists() and target.samefile(read):
            fail(f"{option}: {target} is the data file itself: name another file")
        replaceable = not target.is_file() or _replaceable(target)
    except OSError as error:
        fail(f"{option}: {target} can't be looked at: {error.strerror}")
    if not replaceable:
        fail(
            f"{option}: {target} is there and is no report: nothing is written over it. Name another file, or remove "
            "this one"
        )


def _replaceable(target: Path) -> bool:
    with target.open("rb") as file:
        begins = file.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return not begins or begins.startswith(_BEGINNINGS.get(target.suffix.lower(), ()))
