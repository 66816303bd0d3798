"""Where a file's header is, and what separates its columns."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
"""In the order of preference."""

COMMENT = "#"


@dataclass(frozen=True, slots=True)
class Layout:
    """skipped: lines before the header; comments: how many of them hold text; marked: the header begins with `#`."""

    separator: str
    skipped: int
    comments: int
    marked: bool = False


def layout_of(lines: Sequence[str]) -> Layout:
    """The layout of a file that begins with these lines.

    Blank lines, comment lines and Excel's `sep=;` before the header are passed over. A `#` before the header itself is
    known by its columns: as many as the next line has.
    """
    at, comments, stated = 0, 0, None
    while at < len(lines):
        text = lines[at].strip()
        if text.lower().startswith("sep=") and len(text) == len("sep=") + 1:
            stated = text[-1]
        elif lines[at].lower().startswith("sep=\t"):
            stated = "\t"
        elif text.startswith(COMMENT):
            comments += 1
        elif text:
            break
        at += 1
    separator = stated or separator_of(lines[at:])
    marked = _header_is_marked(lines, at, separator)
    return Layout(separator, at - marked, comments - marked, marked)


def separator_of(lines: Sequence[str]) -> str:
    """The separator under which the rows agree best with the header; of several, that of the most columns."""
    best, found = (0.0, 0), ","
    for separator in SEPARATORS:
        records = _records(lines, separator)
        width = len(records[0]) if records else 0
        if width < 2:
            continue
        agreeing = sum(_fits(record, width) for record in records[1:])
        share = agreeing / len(records[1:]) if records[1:] else 1.0
        if (share, width) > best:
            best, found = (share, width), separator
    return found


def _records(lines: Sequence[str], separator: str) -> list[list[str]]:
    """The rows of a sample, up to the first that is none."""
    records = []
    try:
        for record in csv.reader(lines, delimiter=separator):
            records += [record] if record else []
    except csv.Error:
        pass  # The table says what is wrong with it when it comes to that row.
    return records


def _fits(record: Sequence[str], width: int) -> bool:
    return len(record) == width or (len(record) == width + 1 and not record[-1].strip())


def _header_is_marked(lines: Sequence[str], at: int, separator: str) -> bool:
    if not 0 < at < len(lines) or not lines[at - 1].lstrip().startswith(COMMENT):
        return False
    above, below = (_records([line], separator) for line in (lines[at - 1], lines[at]))
    return bool(above and below) and len(above[0]) == len(below[0]) > 1
