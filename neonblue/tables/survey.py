"""What the cells of every column are, seen in one pass over the file."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from shlex import quote

import numpy as np

from neonblue.tables.cells import shown
from neonblue.tables.errors import FileError, at
from neonblue.tables.numbers import Notation, Shape, Word, exact_number, notation_of, shape_of
from neonblue.tables.table import Row, Table

AT_ONCE = 10_000
CELLS_AT_ONCE = 200_000
"""Rows, and their cells, that are looked at together."""

REMEMBERED = 100_000
"""Cells whose shape is kept in memory."""

CLEAR_SHARE = 0.5
"""A column is of numbers when more than half of its cells are: the others are then refused row by row."""


@dataclass(slots=True)
class Seen:
    """How often a shape was seen, and where first."""

    count: int
    line: int
    row: int
    cell: str


@dataclass(slots=True)
class ColumnSurvey:
    """A column's cells by their shape. hashes: of all cells, while none of those looked at together are equal."""

    name: str
    index: int
    shapes: dict[Shape, Seen] = field(default_factory=dict)
    hashes: array[int] | None = field(default_factory=lambda: array("q"))

    @property
    def different(self) -> bool:
        """Whether no two cells are equal, in whatever order they come."""
        if self.hashes is not None:
            found = np.frombuffer(self.hashes, dtype=np.int64)
            if len(np.unique(found)) < len(found):
                self.hashes = None
        return self.hashes is not None

    def counts(self) -> dict[Shape, int]:
        return {shape: seen.count for shape, seen in self.shapes.items()}

    def count(self, *words: Word) -> int:
        """How many cells are one of these."""
        return sum(seen.count for shape, seen in self.shapes.items() if shape.word in words)

    @property
    def usable(self) -> int:
        """Cells that are a number or a truth value."""
        return self.count(Word.NUMBER, Word.TRUTH)

    @property
    def is_numeric(self) -> bool:
        """Whether most cells that are not blank are numbers or truth values."""
        return self.usable > CLEAR_SHARE * (self.usable + self.count(Word.OTHER))

    @property
    def is_truth(self) -> bool:
        """Whether every number is 0 or 1: one 29.99 among many zeros makes a column of numbers."""
        usable = [shape for shape in self.shapes if shape.word in (Word.NUMBER, Word.TRUTH)]
        return bool(usable) and all(shape.zero_or_one for shape in usable)

    @property
    def example(self) -> str:
        """The first cell that is neither number nor truth value."""
        others = (seen for shape, seen in self.shapes.items() if shape.word is Word.OTHER)
        return next((shown(seen.cell) for seen in others), "all blank")


@dataclass(frozen=True, slots=True)
class Survey:
    """A file's rows, its blank lines, and its columns. table: as it was found to be written."""

    table: Table
    rows: int
    blank_lines: int
    columns: tuple[ColumnSurvey, ...]
    with_decimal_comma: frozenset[int]

    def notes(self) -> Iterator[str]:
        """What of the file is no row and no header, in words."""
        if self.table.trailing:
            yield "every row ends with a separator too many"
        for count, what in ((self.blank_lines, "blank line"), (self.table.layout.comments, "comment line")):
            if count:
                yield f"{count:,} {what}{'s' * (count != 1)} passed over"

    def notation(self, index: int, grouping: str = "") -> Notation:
        """How a column's numbers are written. grouping: the sign that is known to separate thousands.

        Raises FileError where thousands and decimals can't be told apart.
        """
        column, separator = self.columns[index], self.table.separator
        elsewhere = self.with_decimal_comma - {index}
        found = notation_of(column.counts(), separator, comma_elsewhere=bool(elsewhere))
        if found.doubtful and grouping:
            return replace(found, decimal="," if grouping == "." else ".", thousands=True, doubtful=False)
        if found.doubtful:
            seen = next(seen for shape, seen in column.shapes.items() if shape.is_doubtful)
            readings = (exact_number(seen.cell, replace(found, decimal=sign)) for sign in ",.")
            raise FileError(
                f"{self.table.source.name}: {at(seen.line, seen.row)}: {column.name}: {shown(seen.cell)} may be "
                f"{' or '.join(f'{value:f}' for value in sorted(readings))}: the column doesn't tell whether the sign "
                "separates decimals or thousands; "
                f"write it without thousands and with a decimal point, or --ignore {quote(column.name)}"
            )
        return found


def survey(table: Table, taken: Container[int] = ()) -> Survey:
    """Look at every cell but those of the columns that are `taken`.

    Raises FileError for a file without rows, or one whose rows can't be told apart.
    """
    columns = tuple(ColumnSurvey(name, index) for index, name in enumerate(table.columns))
    width, rows, trailing, blank = len(columns), 0, 0, 0

    def on_blank(_: int) -> None:
        nonlocal blank
        blank += 1

    shapes: dict[str, Shape] = {}
    seen = 0
    for batch in _batches(table.rows(on_blank), width):
        rows += len(batch)
        longer = [row for row in batch if len(row.cells) == width + 1 and not row.cells[-1].strip()]
        trailing += len(longer)
        fitting = [row for row in batch if len(row.cells) == width] if len(longer) < len(batch) else longer
        seen += len(fitting)
        for column, cells in zip(columns, zip(*(row.cells for row in fitting), strict=True), strict=False):
            if column.index not in taken:
                _add(column, cells, fitting, shapes)
        if len(shapes) > REMEMBERED:
            shapes.clear()
    if not rows:
        raise FileError(f"{table.source.name}: there are no rows below the header")
    if not seen:
        raise FileError(_no_row_fits(table, rows))
    commas = (c.index for c in columns if notation_of(c.counts(), table.separator).decimal == ",")
    return Survey(replace(table, trailing=trailing == rows), rows, blank, columns, frozenset(commas))


def _batches(rows: Iterator[Row], width: int) -> Iterator[list[Row]]:
    size = max(1, min(AT_ONCE, CELLS_AT_ONCE // (width or 1)))
    while batch := list(islice(rows, size)):
        yield batch


def _no_row_fits(table: Table, rows: int) -> str:
    first = next(table.rows())
    cells, columns = len(first.cells), len(table.columns)
    comma = (
        "; decimal commas must stand in quotes where commas separate the columns"
        if table.separator == ","
        else ""
    )
    return (
        f"{table.source.name}: none of {rows:,} rows has as many cells as the header names columns (separated "
        f"by {table.separator_name}): {at(first.line, first.number)} has {cells}, the header {columns}"
        f"{comma if cells > columns else ''}"
    )


def _add(column: ColumnSurvey, cells: Sequence[str], rows: Sequence[Row], shapes: dict[str, Shape]) -> None:
    counts = Counter(cells)
    if column.hashes is not None:
        if len(counts) < len(cells):
            column.hashes = None
        else:
            column.hashes.extend(map(hash, cells))
    for cell, count in counts.items():
        shape = shapes.get(cell)
        if shape is None:
            shape = shapes[cell] = shape_of(cell)
        seen = column.shapes.get(shape)
        if seen is None:
            first = rows[cells.index(cell)]
            seen = column.shapes[shape] = Seen(0, first.line, first.number, cell)
        seen.count += count
