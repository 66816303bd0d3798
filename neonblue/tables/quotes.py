"""Quotes that are not closed, or closed by a quote of another row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

QUOTE = '"'


def last_opening(lines: Iterable[str], first: int, separator: str) -> tuple[int | None, int | None]:
    """The line that opens the last quote of a row which begins at line `first`, and the line with text behind its end.

    The first is None where no quote is opened, the second where it is not closed.
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
            start_of_cell = True
    return opened, None


def swallowed_line(cells: Sequence[str], columns: int, separator: str) -> int | None:
    """How many lines below its own a cell holds what looks like another row, None where no cell does.

    Two quotes that stand alone in two rows make one cell of all that is between them: each line inside has as many
    separators as a row, and the last as many as there are before the cell.
    """
    for place, cell in enumerate(cells):
        _, *inner = cell.splitlines() or [""]
        if not inner:
            continue
        *rows, last = inner
        whole = all(line.count(separator) == columns - 1 for line in rows)
        if whole and last.count(separator) == place and (rows or place > 1):
            return 1
    return None
