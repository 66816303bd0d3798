"""A CSV file with a header, row by row."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

from neonblue.tables.cells import plain, shown
from neonblue.tables.errors import FileError, at
from neonblue.tables.preamble import MARK, Layout, begins_before_header, layout_of
from neonblue.tables.quotes import last_opening, swallowed_lines
from neonblue.tables.separators import SEPARATORS
from neonblue.tables.source import LONGEST_LINE, Source, bounded_lines

NAMES_SHOWN = 30
"""Columns that a message lists."""

LONGEST_NAME = 256
SAMPLE = 100
"""Lines that tell the separator, from the header on."""

LINES_READ_ON = LONGEST_LINE // 2
"""Of a row that can't be read, to see whether its quote is closed: no row has more."""


class Row(NamedTuple):
    """One row: its number (1 is the first after the header), the line it begins at, and its cells."""

    number: int
    line: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A file's header and where its rows are. trailing: every row ends with a separator too many."""

    source: Source
    columns: tuple[str, ...]
    layout: Layout
    trailing: bool = False

    @classmethod
    def open(cls, path: Path) -> Table:
        """Look the file through and read its header. Raises FileError for what is no table."""
        source = Source.open(path)
        with source.text() as text:
            sample = _sample(text)
        layout = layout_of(sample)
        table = cls(source, (), layout)
        header = next(table._records(), None)
        if header is None:
            raise FileError(f"{source.name}: the file is empty; its first line must name the columns")
        return replace(table, columns=_columns(source.name, header.cells, layout))

    @property
    def separator(self) -> str:
        return self.layout.separator

    @property
    def separator_name(self) -> str:
        return SEPARATORS.get(self.separator, repr(self.separator))

    @property
    def names(self) -> str:
        """The columns in words."""
        named = [name for name in self.columns if name]
        more = f" and {len(named) - NAMES_SHOWN:,} more" if len(named) > NAMES_SHOWN else ""
        return ", ".join(named[:NAMES_SHOWN]) + more

    @property
    def width(self) -> int:
        """The cells of a row."""
        return len(self.columns) + self.trailing

    def index(self, column: str, option: str) -> int:
        """The place of `column`, in any case. Raises FileError which names the option and the columns there are."""
        if column and column in self.columns:
            return self.columns.index(column)
        folded = [name.casefold() for name in self.columns]
        wanted = column.strip().casefold()
        if not wanted or wanted not in folded:
            raise FileError(f"{option}: there is no column {shown(column)}; the columns are {self.names}")
        return folded.index(wanted)

    def rows(self, on_blank: Callable[[int], object] | None = None) -> Iterator[Row]:
        """All rows below the header, also those of another length. Lines without any text are no rows.

        Raises FileError for a quote that is not closed and the like: rows behind it can't be told apart.
        """
        records = self._records(on_blank)
        next(records, None)
        return records

    def _records(self, on_blank: Callable[[int], object] | None = None) -> Iterator[Row]:
        """The header as row 0, then the rows."""
        number, end, used, skipped = 0, self.layout.skipped, [0], self.layout.skipped
        with self.source.text() as text:
            lines = bounded_lines(text, self.source.name, used)
            for _ in islice(lines, skipped):
                used[0] = 0
            reader = csv.reader(lines, delimiter=self.separator, strict=True)
            try:
                for cells in reader:
                    line, end, used[0] = end + 1, skipped + reader.line_num, 0
                    if not cells or (not cells[0].strip() and not any(map(str.strip, cells))):
                        if on_blank is not None:
                            on_blank(line)
                        continue
                    if end > line:
                        self._refuse_swallowed(Row(number, line, cells))
                    yield Row(number, line, cells)
                    number += 1
            except csv.Error as error:
                raise FileError(self._explained(end + 1, number, skipped + reader.line_num, error)) from None

    def _refuse_swallowed(self, row: Row) -> None:
        found = swallowed_lines(row.cells, len(self.columns) or len(row.cells), self.separator)
        if found is not None:
            opened, closed = (row.line + below for below in found)
            more = "" if opened == row.line else f" at line {opened}"
            raise FileError(
                f"{self.source.name}: {at(row.line, row.number)} opens a quote{more} that is closed in another row: "
                f"what is inside, up to line {closed}, looks like rows of their own. Double a quote that stands in a "
                "cell, or, where this is one text, write it without line breaks"
            )

    def _explained(self, line: int, number: int, last: int, error: csv.Error) -> str:
        """What is wrong with the row that begins at `line`, of which lines up to `last` were read."""
        with self.source.text() as text:
            rest = islice(iter(partial(text.readline, LONGEST_LINE), ""), line - 1, last + LINES_READ_ON)
            opened, behind = last_opening(rest, line, self.separator)
        place = f"{self.source.name}: {at(line, number)}"
        if opened is None:
            too_long = f"has a cell of more than {csv.field_size_limit():,} characters"
            return f"{place} {too_long if 'field larger' in str(error) else f'is no row of CSV ({error})'}"
        more = "" if opened == line else f" at line {opened}"
        if behind is None:
            return f"{place} opens a quote{more} that is not closed; double a quote that stands in a cell"
        where = "" if behind == opened else f" at line {behind}"
        return f"{place} opens a quote{more}, and has text behind its end{where}; double a quote that stands in a cell"


def _sample(text: IO[str]) -> list[str]:
    """What stands before the header, and the first lines from there, of as many characters as one row may have."""
    lines: list[str] = []
    room, last = LONGEST_LINE, None
    for line in iter(partial(text.readline, LONGEST_LINE), ""):
        room -= len(line)
        if last is None and not begins_before_header(line):
            last = len(lines) + SAMPLE
        if room < 0 or len(lines) == last:
            break
        lines.append(line)
    return lines


def _name(cell: str) -> str:
    """The column's name: line breaks and signs that nobody sees are spaces, and only single ones stay."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in plain(cell)).split())


def _columns(name: str, header: Sequence[str], layout: Layout) -> tuple[str, ...]:
    columns = [_name(column) for column in header]
    if layout.marked:
        columns[0] = columns[0].lstrip(MARK).strip()
    folded = Counter(column.casefold() for column in columns if column)
    doubled = sorted({column for column in columns if folded[column.casefold()] > 1})
    if any(len(column) > LONGEST_NAME for column in columns):
        raise FileError(
            f"{name}: the header names a column with more than {LONGEST_NAME} characters: is it the header?"
        )
    if doubled:
        raise FileError(
            f"{name}: the header names {', '.join(doubled[:NAMES_SHOWN])} more than once; rename one of the columns"
        )
    return tuple(columns)
