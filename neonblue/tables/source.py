"""The bytes of a data file: a path, a pipe or standard input, plain or compressed with gzip, and text in UTF-8.

Parquet is turned into such a text first.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from neonblue.tables import parquet
from neonblue.tables.errors import FileError

STANDARD_INPUT = Path("-")
CHUNK = 1024 * 1024
LONGEST_LINE = 1024 * 1024
"""Characters of a line, and of a row that goes over several lines."""

GZIP = b"\x1f\x8b"
OTHERS = (
    (b"PK\x03\x04", "is a zip file or an Excel workbook: save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook: save the sheet as CSV"),
    (b"ARROW1", "is an Arrow file: write it as CSV"),
    (b"SQLite format 3", "is an SQLite database: export the table as CSV"),
    (b"%PDF", "is a PDF: a table of it must be saved as CSV"),
    (b"BZh", "is compressed with bzip2: unpack it first"),
    (b"\xfd7zXZ", "is compressed with xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd: unpack it first"),
    (codecs.BOM_UTF32_LE, "is in UTF-32: save it as UTF-8"),
    (codecs.BOM_UTF32_BE, "is in UTF-32: save it as UTF-8"),
    (codecs.BOM_UTF16_LE, "is in UTF-16 (Excel's 'Unicode text'): save it as 'CSV UTF-8'"),
    (codecs.BOM_UTF16_BE, "is in UTF-16 (Excel's 'Unicode text'): save it as 'CSV UTF-8'"),
)
"""How files begin that are no text in UTF-8, and what to do with them."""

MARKUP = ((b"<", "is HTML or XML, not CSV"), (b"{", "is JSON, not CSV"), (b"[", "is JSON, not CSV"))


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was looked through once: it is UTF-8 without NUL bytes or endless lines.

    name: as the caller called it, for messages. digest: SHA-256 of its uncompressed bytes, so that names don't matter.
    stamp: size and time of change, so that a change between two readings is noticed. given: the file that was named,
    None where it came through a pipe; path: what is read.
    """

    path: Path
    name: str
    digest: str
    stamp: tuple[int, int]
    given: Path | None = None
    spool: object = field(default=None, repr=False, compare=False)

    @classmethod
    def open(cls, path: Path) -> Source:
        """Look the file through; `-` and pipes are kept in a temporary file. Raises FileError for what is no text."""
        name = "standard input" if path == STANDARD_INPUT else str(path)
        try:
            given = path if _is_regular(path, name) else None
            spool = None if given else _spooled(path)
            kept = path if spool is None else Path(spool.name)
            if _begins_with(kept, parquet.MAGIC):
                spool = parquet.as_csv(kept, name)
                kept = Path(spool.name)
            stamp = _stamp(kept)
            with _bytes(kept, name) as stream:
                digest = _look_through(stream, name)
        except (OSError, EOFError, zlib.error) as error:
            raise FileError(f"{name}: can't be read ({_reason(error)})") from error
        return cls(kept, name, digest, stamp, given, spool)

    @property
    def short_name(self) -> str:
        """The name without its folder."""
        return "stdin" if self.given is None else self.given.name

    @contextmanager
    def text(self) -> Iterator[IO[str]]:
        """The file as text, line ends as they are. Raises FileError where it changed since it was opened."""
        try:
            if _stamp(self.path) != self.stamp:
                raise FileError(f"{self.name}: the file changed while it was read; start again")
            with (
                _bytes(self.path, self.name) as stream,
                TextIOWrapper(stream, "utf-8-sig", newline="") as text,
            ):
                yield text
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise FileError(f"{self.name}: can't be read ({_reason(error)})") from error


def bounded_lines(text: IO[str], name: str, used: list[int]) -> Iterator[str]:
    """The lines. `used[0]` counts the characters of a row, and is set to 0 by the caller at the row's end.

    Raises FileError where a row is longer than LONGEST_LINE: it is never held in memory.
    """
    read = partial(text.readline, LONGEST_LINE)
    for number, line in enumerate(iter(read, ""), start=1):
        used[0] += len(line)
        if used[0] >= LONGEST_LINE:
            raise FileError(
                f"{name}: line {number} is longer than {LONGEST_LINE:,} characters: this is no table"
            )
        yield line


def _is_regular(path: Path, name: str) -> bool:
    if path == STANDARD_INPUT:
        return False
    if path.is_dir():
        raise FileError(f"{name}: this is a folder, not a file")
    if not path.exists():
        raise FileError(f"{name}: there is no such file")
    return path.is_file()


def _spooled(path: Path) -> tempfile._TemporaryFileWrapper[bytes]:
    spool = tempfile.NamedTemporaryFile(prefix="neonblue-", suffix=".csv")  # noqa: SIM115 - lives as long as its Source
    if path == STANDARD_INPUT:
        shutil.copyfileobj(sys.stdin.buffer, spool)
    else:
        with path.open("rb") as pipe:
            shutil.copyfileobj(pipe, spool)
    spool.flush()
    return spool


def _begins_with(path: Path, sign: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(sign)) == sign


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@contextmanager
def _bytes(path: Path, name: str) -> Iterator[IO[bytes]]:
    with path.open("rb") as plain:
        start = plain.read(16)
        for magic, what in OTHERS:
            if start.startswith(magic):
                raise FileError(f"{name}: {what}")
        plain.seek(0)
        if start.startswith(GZIP):
            with gzip.open(plain) as unpacked:
                yield unpacked  # type: ignore[misc]
        else:
            yield plain


def _look_through(stream: IO[bytes], name: str) -> str:
    digest, decoder, lines, first = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")(), 1, True
    while chunk := stream.read(CHUNK):
        if first:
            _refuse_markup(chunk, name)
            first = False
        if (place := chunk.find(b"\0")) >= 0:
            line = lines + _line_ends(chunk[:place])
            raise FileError(f"{name}: line {line} holds a NUL byte: this is no text in UTF-8")
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise FileError(_not_utf8(name, lines, error)) from None
        ends = _line_ends(chunk)
        if not ends and len(chunk) == CHUNK:
            raise FileError(
                f"{name}: line {lines} is longer than {LONGEST_LINE:,} characters: this is no table"
            )
        lines += ends
        digest.update(chunk)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise FileError(_not_utf8(name, lines, error)) from None
    return digest.hexdigest()


def _refuse_markup(chunk: bytes, name: str) -> None:
    start = chunk.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    for sign, what in MARKUP:
        if start == sign:
            raise FileError(f"{name}: {what}")


def _not_utf8(name: str, lines: int, error: UnicodeDecodeError) -> str:
    line = lines + _line_ends(error.object[: error.start])
    byte = error.object[error.start]
    return f"{name}: line {line} is not UTF-8 (byte 0x{byte:02x}); save it as UTF-8, Excel calls that 'CSV UTF-8'"


def _line_ends(data: bytes) -> int:
    return data.count(b"\n") or data.count(b"\r")


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
