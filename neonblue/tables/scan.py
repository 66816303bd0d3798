"""Every row of a data file, read by one set of rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar

from neonblue.tables import cells
from neonblue.tables.arms import MOST_ARMS
from neonblue.tables.errors import CellError, FileError
from neonblue.tables.numbers import PLAIN, Notation, number
from neonblue.tables.outcomes import Kind
from neonblue.tables.roles import Roles
from neonblue.tables.table import Row, Table
from neonblue.tables.times import moment

REMEMBERED = 50_000
"""Cells of a column whose meaning is kept in memory."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ValueColumn:
    """A column of numbers or truth values that is read.

    kind: a proportion's value is 1 or 0. notation: how its numbers are written. exact: they are kept as written, not
    with the platform's six decimals.
    """

    index: int
    name: str
    kind: Kind
    notation: Notation = PLAIN
    words: bool = False
    exact: bool = False

    def value(self, cell: str) -> Decimal | None:
        """The cell's value, None where nothing was recorded. Raises CellError.

        words: the column holds truth values; else a word such as `yes` among numbers is refused.
        """
        if self.words:
            return cells.truth(cell)
        value = number(cell, self.notation, exact=self.exact)
        if value is None or self.kind is Kind.MEAN:
            return value
        return Decimal(int(value != 0))


class Reading(NamedTuple):
    """What one good row says.

    code: the unit's number, from 0. values: of the value columns, None where blank. texts: of the columns read as such.
    """

    row: int
    line: int
    code: int
    unit: str
    arm: str
    time: datetime | None
    values: tuple[Decimal | None, ...]
    texts: tuple[str, ...] = ()


class Problem(NamedTuple):
    """Why a row is left out. kind: for counting; text: what is wrong in this row."""

    line: int
    kind: str
    text: str


@dataclass(slots=True)
class Scan:
    """One pass over the rows, and what it found.

    problems: by row. arms: good rows by arm. blanks: good rows whose cell is blank, by value column and arm. crossed:
    codes of units that are in more than one arm. copies: rows that say in every cell what their unit's first one says.
    first_rows: a hash of each unit's first row, by code.
    first_pass: until `readings` has ended; later passes count no copies.
    """

    table: Table
    roles: Roles
    values: Sequence[ValueColumn]
    now: datetime
    control: str | None = None
    texts: Sequence[int] = ()
    problems: dict[int, Problem] = field(default_factory=dict)
    rows: int = 0
    arms: Counter[str] = field(default_factory=Counter)
    blanks: Counter[tuple[int, str]] = field(default_factory=Counter)
    copies: int = 0
    first_pass: bool = True
    codes: dict[str, int] = field(default_factory=dict)
    first_rows: list[int] = field(default_factory=list)
    arm_of: list[str] = field(default_factory=list)
    crossed: set[int] = field(default_factory=set)

    def readings(self) -> Iterator[Reading]:
        """The good rows in the order of the file, also those of units in several arms. Raises FileError."""
        read = _RowReader(self)
        for row in self.table.rows():
            self.rows += 1
            found = read(row)
            if isinstance(found, Problem):
                self.problems[row.number] = found
                continue
            self.arms[found.arm] += 1
            if len(self.arms) > MOST_ARMS:
                column = self.table.columns[self.roles.variant]
                raise FileError(f"--variant: column {column!r} has over {MOST_ARMS} values: no arms")
            if None in found.values:
                self.blanks.update((at, found.arm) for at, value in enumerate(found.values) if value is None)
            yield found
        self.first_pass = False

    def leave_out_crossed(self) -> None:
        """Make a problem of every row of a unit in several arms, and count these rows no longer as good ones."""
        if not self.crossed:
            return
        read = _RowReader(self)
        for row in self.table.rows():
            if row.number in self.problems:
                continue
            found = read(row)
            if isinstance(found, Problem) or found.code not in self.crossed:
                continue
            text = f"unit {cells.shown(found.unit)} is in more than one arm"
            self.problems[row.number] = Problem(row.line, IN_SEVERAL_ARMS, text)
            self.arms[found.arm] -= 1
            self.blanks.subtract((at, found.arm) for at, value in enumerate(found.values) if value is None)
        self.arms = +self.arms

    def good(self) -> Iterator[Reading]:
        """The good rows once more, without those of units in several arms."""
        read = _RowReader(self)
        for row in self.table.rows():
            if row.number in self.problems:
                continue
            found = read(row)
            if isinstance(found, Problem):
                raise FileError(f"{self.table.source.name}: the file changed while it was read; start again")
            yield found


IN_SEVERAL_ARMS = "unit in more than one arm"


class _Memo(dict[str, T | CellError], Generic[T]):
    """What cells mean: each text is read once."""

    def __init__(self, read: Callable[[str], T]) -> None:
        super().__init__()
        self.read = read

    def __missing__(self, cell: str) -> T | CellError:
        try:
            found: T | CellError = self.read(cell)
        except CellError as error:
            found = error
        if len(self) >= REMEMBERED:
            self.clear()
        self[cell] = found
        return found


class _RowReader:
    """Reads one row after the other."""

    def __init__(self, scan: Scan) -> None:
        roles = scan.roles
        self.scan, self.table, self.roles = scan, scan.table, roles
        self.width, self.texts = scan.table.width, scan.texts
        self.arms = _Memo(self._arm)
        self.times = _Memo(lambda cell: moment(cell, scan.now))
        self.values = tuple((column.index, _Memo(column.value)) for column in scan.values)

    def __call__(self, row: Row) -> Reading | Problem:
        found = row.cells
        if len(found) != self.width:
            return self._misfit(row)
        arm = self.arms[found[self.roles.variant]]
        if isinstance(arm, CellError):
            return self._problem(row, self.roles.variant, arm)
        time: datetime | CellError | None = None
        if self.roles.time is not None:
            time = self.times[found[self.roles.time]]
            if isinstance(time, CellError):
                return self._problem(row, self.roles.time, time)
        values = tuple([memo[found[index]] for index, memo in self.values])
        if CellError in map(type, values):
            at, error = next((at, value) for at, value in enumerate(values) if isinstance(value, CellError))
            return self._problem(row, self.values[at][0], error)
        if self.roles.unit is None:
            unit, code = str(row.number), row.number - 1
        else:
            try:
                unit = cells.unit(found[self.roles.unit])
            except CellError as error:
                return self._problem(row, self.roles.unit, error)
            code = self._code(unit, arm, row)
        texts = tuple([found[place] for place in self.texts]) if self.texts else ()
        return Reading(row.number, row.line, code, unit, arm, time, values, texts)  # type: ignore[arg-type]

    def _arm(self, cell: str) -> str:
        return cells.plain(cell) if self.scan.control in (cell, cells.plain(cell)) else cells.arm(cell)

    def _code(self, unit: str, arm: str, row: Row) -> int:
        scan = self.scan
        code = scan.codes.setdefault(unit, len(scan.codes))
        if code == len(scan.arm_of):
            scan.arm_of.append(arm)
            scan.first_rows.append(hash(tuple(row.cells)))
            return code
        if scan.arm_of[code] != arm:
            scan.crossed.add(code)
        if scan.first_pass and scan.first_rows[code] == hash(tuple(row.cells)):
            scan.copies += 1
        return code

    def _misfit(self, row: Row) -> Problem:
        count, columns = len(row.cells), len(self.table.columns)
        if count == columns + 1 and not row.cells[-1].strip():
            return Problem(row.line, "separator too many", "a separator too many at the end")
        if count == columns and self.table.trailing:
            return Problem(row.line, "separator missing", "no separator at the end, as the other rows have")
        text = f"{count} cell{'s' * (count != 1)} where the header names {columns} columns"
        return Problem(row.line, "number of cells", text)

    def _problem(self, row: Row, index: int, error: CellError) -> Problem:
        column = self.table.columns[index] or f"column {index + 1}"
        return Problem(row.line, column, f"{column}: {error}")
