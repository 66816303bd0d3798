"""Unpacks archives that come from elsewhere: files and folders, and nothing that leads out of the target.

With the standard library as it is in every Python 3.11: ``tarfile``'s own filters came with 3.11.4, which Debian 12
does not have.
"""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO

_PIECE = 1024 * 1024
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
    EOFError, NotImplementedError, OverflowError, ValueError,
)  # fmt: skip


class ArchiveError(Exception):
    """An archive is damaged, holds something other than files and folders, or is larger than its bounds."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that is unpacked."""

    members: int = 20_000
    file_bytes: int = 512 * 1024**2
    bytes: int = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class _Member:
    """A file, or a folder, which has no content. `size` is what the archive says, in bytes."""

    path: PurePosixPath
    executable: bool = False
    size: int = 0
    content: IO[bytes] | None = None


def unpack(archive: Path, target: Path, *, within: str = "", bounds: Bounds | None = None) -> None:
    """Unpack a tar archive (plain, gzip, bzip2, xz) or a zip archive (a jar) into the new folder `target`.

    `target` appears whole or not at all. With `within` only what lies beneath that folder of the archive, from there
    on. Raises ``ArchiveError`` saying what is wrong with the archive, ``FileExistsError`` where `target` is there.
    """
    if target.exists():
        raise FileExistsError(f"{target} is there already")
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=".unpack-"))
    try:
        with _reading(archive):
            _write_all(archive, staging, PurePosixPath(within), bounds or Bounds())
        staging.chmod(0o755)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def differs(archive: Path, folder: Path, *, within: str = "") -> str:
    """The first file that `folder` lacks or holds in another size than `archive`; '' where it holds everything.

    Raises ``ArchiveError`` as `unpack` does.
    """
    with _reading(archive):
        for member in _members(archive, PurePosixPath(within)):
            place = folder / member.path
            if member.content is not None and not (place.is_file() and place.stat().st_size == member.size):
                return str(member.path)
    return ""


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """What the standard library raises on a damaged archive, in one word."""
    try:
        yield
    except _DAMAGE as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise ArchiveError(f"{archive.name} is damaged: {reason or type(error).__name__}") from error
    except OSError as error:
        # gzip and bzip2 say so of bad data; errors of the file system have a number.
        if error.errno is not None:
            raise
        raise ArchiveError(f"{archive.name} is damaged: {error}") from error
    except RuntimeError as error:  # zipfile, of an encrypted member
        raise ArchiveError(f"{archive.name} can't be read: {error}") from error


def _write_all(archive: Path, target: Path, within: PurePosixPath, bounds: Bounds) -> None:
    left, found = bounds.bytes, False
    for member in _members(archive, within, bounds.members):
        place = target / member.path
        try:
            if member.content is None:
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            left -= _write(member, member.content, place, min(left, bounds.file_bytes))
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            raise ArchiveError(f"{archive.name} holds {member.path} twice") from None
        found = True
    if not found:
        raise ArchiveError(f"{archive.name} holds no file{f' in {within}' if within.parts else ''}")


def _write(member: _Member, content: IO[bytes], place: Path, most: int) -> int:
    """Copy at most `most` bytes; returns how many there were."""
    if member.size > most:
        raise _too_large(member)
    written = 0
    # Never over a file that is there.
    with place.open("xb") as file:
        while piece := content.read(_PIECE):
            written += len(piece)
            if written > most:
                raise _too_large(member)
            file.write(piece)
    place.chmod(0o755 if member.executable else 0o644)
    return written


def _too_large(member: _Member) -> ArchiveError:
    return ArchiveError(f"{member.path} is too large: what is unpacked has a bound")


def _members(archive: Path, within: PurePosixPath, most: int = Bounds().members) -> Iterator[_Member]:
    """The files and folders beneath `within`. Raises ``ArchiveError`` on any other member, wherever it is."""
    # By its first bytes: a zip archive may also lie at the end of another file.
    with archive.open("rb") as file:
        zipped = file.read(2) == b"PK"
    for number, member in enumerate(_zip_members(archive) if zipped else _tar_members(archive)):
        if number >= most:
            raise ArchiveError(f"{archive.name} holds more than {most:,} members")
        if not within.parts:
            yield member
        elif member.path.parts[: len(within.parts)] == within.parts and member.path != within:
            yield replace(member, path=member.path.relative_to(within))


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive) as tar:
        for info in tar:
            # A sparse file would grow without reading anything.
            if not (info.isdir() or info.isfile()) or info.issparse():
                raise ArchiveError(f"{info.name!r} is neither a file nor a folder: it is not unpacked")
            path = _inner(info.name)
            content = tar.extractfile(info)
            if content is None:
                yield _Member(path)
                continue
            with content:
                yield _Member(path, bool(info.mode & stat.S_IXUSR), info.size, content)


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as zipped:
        for info in zipped.infolist():
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ArchiveError(f"{info.filename!r} is neither a file nor a folder: it is not unpacked")
            path = _inner(info.filename)
            if info.is_dir():
                yield _Member(path)
                continue
            with zipped.open(info) as content:
                yield _Member(path, bool(mode & stat.S_IXUSR), info.file_size, content)


def _inner(name: str) -> PurePosixPath:
    """The member's path below the target. Raises ``ArchiveError`` on one that would lead out of it."""
    path = PurePosixPath(name)
    strange = "\\" in name or any(ord(letter) < 32 for letter in name)
    if path.is_absolute() or ".." in path.parts or strange:
        raise ArchiveError(f"{name!r} would lead out of the folder that it is unpacked to")
    if any(len(os.fsencode(part)) > 255 for part in path.parts):
        raise ArchiveError(f"{name[:80]!r}… is too long a name")
    return path
