"""What stands before a file's header: comments, blank lines, Excel's `sep=;`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from neonblue.tables.cells import plain
from neonblue.tables.numbers import Word, shape_of
from neonblue.tables.separators import records_of, separator_of

MARK = "#"
"""Begins a comment, and some programs' headers."""

_COMMENTS = (MARK, "--", "//")


@dataclass(frozen=True, slots=True)
class Layout:
    """skipped: lines before the header; comments: how many of them hold text; marked: the header begins with `#`."""

    separator: str
    skipped: int
    comments: int
    marked: bool = False


def begins_before_header(line: str) -> bool:
    """Whether the line, at the beginning of a file, is blank, a comment, or says what the separator is."""
    return not line.strip() or _is_comment(line) or _stated_separator(line) is not None


def layout_of(lines: Sequence[str]) -> Layout:
    """The layout of a file that begins with these lines.

    Of a line that begins with `#` right before the first other one it is told by the rows whether it is the header.
    """
    at = next((place for place, line in enumerate(lines) if not begins_before_header(line)), len(lines))
    comments = sum(map(_is_comment, lines[:at]))
    stated = [sign for line in lines[:at] if (sign := _stated_separator(line)) is not None]
    separator = stated[-1] if stated else separator_of(lines[at:])
    marked = _header_is_marked(lines, at, separator)
    return Layout(separator, at - marked, comments - marked, marked)


def _is_comment(line: str) -> bool:
    """A spreadsheet that saved a comment may have put it in quotes."""
    return line.strip().removeprefix('"').startswith(_COMMENTS)


def _stated_separator(line: str) -> str | None:
    if line.lower().startswith("sep=\t"):
        return "\t"
    text = line.strip()
    return text[-1] if text.lower().startswith("sep=") and len(text) == len("sep=") + 1 else None


def _header_is_marked(lines: Sequence[str], at: int, separator: str) -> bool:
    """Whether the last comment is the header: it has as many cells as the line below, which looks like a row."""
    if not 0 < at < len(lines):
        return False
    marked = lines[at - 1].strip().removeprefix('"')
    above, below = records_of([lines[at - 1]], separator), records_of(lines[at:], separator)
    if not marked.startswith(MARK) or not above or not below or not len(above[0]) == len(below[0]) > 1:
        return False
    row = _is_row(below[0], [record for record in below[1:] if len(record) == len(below[0])])
    return row if row is not None else not marked.removeprefix(MARK)[:1].isspace()


class _Look(Enum):
    """How a cell looks: names of columns hardly ever look like numbers or times."""

    BLANK = 0
    NUMBER = 1
    DIGITS = 2
    TEXT = 3


def _is_row(line: Sequence[str], rows: Sequence[Sequence[str]]) -> bool | None:
    """Whether a line is a row like those below, not their header; None: nothing tells."""
    columns = [[plain(cell) for cell in column if plain(cell)] for column in zip(*rows, strict=True)]
    if any(plain(cell) in column for cell, column in zip(line, columns, strict=False)):
        return True
    looks = [_look(cell) for cell in line]
    for look, column in zip(looks, columns, strict=False):
        below = {_look(cell) for cell in column} - {_Look.BLANK}
        if look is not _Look.BLANK and len(below) == 1 and not below & {look, _Look.TEXT}:
            return False
    return True if _Look.NUMBER in looks or _Look.DIGITS in looks else None


def _look(cell: str) -> _Look:
    word = shape_of(cell).word
    if word is Word.BLANK:
        return _Look.BLANK
    if word is Word.NUMBER:
        return _Look.NUMBER
    return _Look.DIGITS if plain(cell)[:1].isdigit() else _Look.TEXT
