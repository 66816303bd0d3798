"""Quotes that are not closed, or closed by a quote of another row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

QUOTE = '"'
_BREAK = re.compile(r"\r\n|\r|\n")
_STRONG = 2
"""So many separators in one line, where a row would have them, are no part of a text."""


def last_opening(lines: Iterable[str], first: int, separator: str) -> tuple[int | None, int | None]:
    """The line that opens the last quote of a row which begins at line `first`, and the line with text behind its end.

    The first is None where every quote is closed, the second where text follows none. Reads no further than the row.
    """
    opened: int | None = None
    inside, start_of_cell = False, True
    for number, line in enumerate(lines, start=first):
        at = 0
        while at < len(line):
            sign = line[at]
            if inside:
                if sign == QUOTE and line[at + 1 : at + 2] == QUOTE:
                    at += 1
                elif sign == QUOTE:
                    inside = False
                    if line[at + 1 : at + 2] not in (separator, "\r", "\n", ""):
                        return opened, number
            elif sign == QUOTE and start_of_cell:
                opened, inside = number, True
            start_of_cell = not inside and sign == separator
            at += 1
        if not inside:
            return None, None
    return opened, None


def swallowed_lines(cells: Sequence[str], columns: int, separator: str) -> tuple[int, int] | None:
    """Where a row that goes over several lines holds what looks like other rows; None where it doesn't.

    The answer counts lines below the row's first: the line that opens the quote, and the one that closes it. Two quotes
    that stand alone in two rows make one cell of all that is between them. Of a text of several lines, in contrast, the
    lines have separators where it happens; and the row has as many cells as the others.
    """
    fits = len(cells) == columns or (len(cells) == columns + 1 and not cells[-1].strip())
    below = 0
    for place, cell in enumerate(cells):
        lines = _BREAK.split(cell)
        closed = below + len(lines) - 1
        if len(lines) > 1 and (not fits or _are_rows(lines, place, len(cells) - 1, separator)):
            return below, closed
        below = closed
    return None


def _are_rows(lines: Sequence[str], place: int, separators: int, separator: str) -> bool:
    """Whether a cell's lines look like rows with so many separators: its first is a row's end, its last a start."""
    first, *inner, last = (line.count(separator) for line in lines)
    if any(count >= max(separators, 1) for count in inner):
        return True
    ends, starts = place + first == separators, last == place
    return (ends and starts) or (ends and first >= _STRONG) or (starts and last >= _STRONG)
