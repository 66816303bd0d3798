"""What is wrong with a data file, or with what an option says of it."""

from __future__ import annotations


class FileError(Exception):
    """The file or an option can't be used; the message names file, line or column and says what to do."""


class CellError(ValueError):
    """The cell doesn't hold what its column should."""


def at(line: int, row: int) -> str:
    """A place in a file: its line as an editor counts, and its row (1 is the first below the header; 0: the header)."""
    return f"line {line} (row {row})" if row else f"line {line} (the header)"
