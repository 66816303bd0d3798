"""Reading a CSV file, plain or compressed with gzip, row by row."""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1024 * 1024


class ImportFileError(Exception):
    """The file or an option of the import can't be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number (1 is the first after the header) and its cells, as many as there are columns."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file with a header. `digest`: SHA-256 of its uncompressed bytes, so that names don't matter."""

    path: Path
    columns: tuple[str, ...]
    digest: str

    @classmethod
    def open(cls, path: Path) -> Table:
        """Read the header and the digest. Raises ImportFileError for what is no table."""
        try:
            digest = _digest(path)
            with _text(path) as lines:
                header = next(csv.reader(lines), None)
        except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
            raise ImportFileError(f"{path}: can't be read as CSV in UTF-8 ({error})") from error
        if not header:
            raise ImportFileError(f"{path}: the file is empty; its first line must name the columns")
        columns = tuple(name.strip() for name in header)
        doubled = sorted({name for name in columns if columns.count(name) > 1})
        if doubled:
            raise ImportFileError(f"{path}: the header names {', '.join(doubled)} more than once")
        return cls(path, columns, digest)

    def index(self, column: str, option: str) -> int:
        """The place of `column`. Raises ImportFileError which names the option and the columns there are."""
        if column not in self.columns:
            there = ", ".join(self.columns)
            raise ImportFileError(f"{option}: there is no column {column!r}; the columns are {there}")
        return self.columns.index(column)

    def rows(self) -> Iterator[Row]:
        """All rows; blank lines are no rows. Short rows stay short: the mapping refuses them."""
        with _text(self.path) as lines:
            reader = csv.reader(lines)
            next(reader)
            cells = (tuple(found) for found in reader if found)
            for number, found in enumerate(cells, start=1):
                yield Row(number, found)


@contextmanager
def _text(path: Path) -> Iterator[IO[str]]:
    if _compressed(path):
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as lines:
            yield lines
    else:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield lines


def _compressed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with ExitStack() as closing:
        plain = closing.enter_context(path.open("rb"))
        unpacked = closing.enter_context(gzip.open(plain)) if _compressed(path) else plain
        while chunk := unpacked.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
