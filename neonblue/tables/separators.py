"""What separates a file's columns."""

from __future__ import annotations

import csv
from collections.abc import Sequence

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
"""In the order of preference."""


def separator_of(lines: Sequence[str]) -> str:
    """The separator under which the rows agree best with the header; of several, that of the most columns."""
    best, found = (0.0, 0), ","
    for separator in SEPARATORS:
        records = records_of(lines, separator)
        width = len(records[0]) if records else 0
        if width < 2:
            continue
        agreeing = sum(_fits(record, width) for record in records[1:])
        share = agreeing / len(records[1:]) if records[1:] else 1.0
        if (share, width) > best:
            best, found = (share, width), separator
    return found


def records_of(lines: Sequence[str], separator: str) -> list[list[str]]:
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
