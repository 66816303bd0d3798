"""One verdict on a data file, for every command that reads one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

from neonblue.tables.arms import arm_keys, choose_control
from neonblue.tables.errors import FileError
from neonblue.tables.numbers import Word
from neonblue.tables.outcomes import Kind, Outcome, kind_of, less_is_better, outcomes_of, passed_over
from neonblue.tables.report import FileReport, columns_read, left_out, refusal
from neonblue.tables.roles import Options, Roles, roles_of
from neonblue.tables.scan import IN_SEVERAL_ARMS, Reading, Scan, ValueColumn
from neonblue.tables.sums import holds_sums
from neonblue.tables.survey import Survey, survey
from neonblue.tables.table import Table

_MOST_DAYS = 10_000
MOST_SAID = 300
"""Characters of a message that list columns."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file whose columns are known, before its rows are read one by one."""

    survey: Survey
    roles: Roles
    options: Options

    @classmethod
    def open(cls, path: Path, options: Options) -> Sheet:
        """Look at the whole file once. Raises FileError for what can't be read."""
        return cls.of(Table.open(path), options)

    @classmethod
    def of(cls, table: Table, options: Options) -> Sheet:
        """As `open`, of a file whose header was read."""
        if holds_sums(table):
            raise FileError(
                f"{table.source.name}: this is a file of sums, which 'neonblue analyze' reads; "
                "an experiment needs a row per unit"
            )
        roles = roles_of(table, options)
        return cls(survey(table, roles.taken), roles, options)

    @property
    def table(self) -> Table:
        return self.survey.table

    def outcomes(self) -> tuple[Outcome, ...]:
        """The metrics where none was named. Raises FileError where there is no column for one."""
        found = outcomes_of(self.survey, self.roles)
        less = less_is_better(self.survey, self.roles)
        if less and not any(outcome.decides for outcome in found):
            raise FileError(
                f"--metric: of {', '.join(less)} less may be better by the name: say --lower {quote(less[0])}, "
                f"or --metric {quote(less[0])} if more is better"
            )
        if not found:
            why = "; ".join(
                f"{passed.name}: {passed.why}" for passed in passed_over(self.survey, self.roles, ())
            )
            raise FileError(
                "--metric: no column holds numbers or truth values of an outcome; name one as NAME=COLUMN"
                + (f" ({why if len(why) <= MOST_SAID else why[:MOST_SAID] + '…'})" if why else "")
            )
        return found

    def value_column(self, index: int, kind: Kind | None = None) -> ValueColumn:
        """How to read a column that was chosen. Raises FileError for one without numbers or truth values."""
        column = self.survey.columns[index]
        if index in self.roles.taken:
            raise FileError(f"--metric: column {column.name!r} is the unit, the arm, the time or ignored")
        if not column.usable or (kind is None and not column.is_numeric and not self._is_outcome(index)):
            raise FileError(
                f"--metric: column {column.name!r} holds no numbers or truth values ({column.example})"
            )
        words = column.is_truth and column.count(Word.TRUTH) > 0
        return ValueColumn(index, column.name, kind or kind_of(column), self.survey.notation(index), words)

    def _is_outcome(self, index: int) -> bool:
        return any(outcome.index == index for outcome in outcomes_of(self.survey, self.roles))


@dataclass(frozen=True, slots=True)
class FileReading:
    """A file whose rows were read. keys: each arm's key by its name."""

    sheet: Sheet
    scan: Scan
    keys: dict[str, str]

    @property
    def units(self) -> int:
        """Units of the good rows, those in several arms left out."""
        good = self.scan.rows - len(self.scan.problems)
        return good if self.sheet.roles.unit is None else len(self.scan.codes) - len(self.scan.crossed)

    def _roles(self) -> Iterator[str]:
        """Which columns say who, in which arm, and when."""
        table, roles = self.sheet.table, self.sheet.roles
        units = "each row is a unit" if roles.unit is None else f"units by {table.columns[roles.unit]!r}"
        times = "" if roles.time is None else f", times by {table.columns[roles.time]!r}"
        yield f"{units}, arms by {table.columns[roles.variant]!r}{times}"
        with suppress(FileError):
            given = self.sheet.options.control
            control = choose_control(self.keys, given)
            yield f"control is {control!r}{', by its name: --control ARM names another' if given is None else ''}"

    def _repeated(self) -> Iterator[str]:
        """That units have several rows, and what becomes of their values."""
        good = self.scan.rows - len(self.scan.problems)
        if self.units < good:
            yield f"{good:,} rows are {self.units:,} units: the values of a unit's rows are added up"
        if self.scan.copies:
            yield (
                f"{self.scan.copies:,} rows say in every cell what an earlier row of their unit says: "
                "if they were exported twice, remove the copies"
            )

    def report(self, more: Iterable[int] = ()) -> FileReport:
        """What became of the file. more: columns that are read as texts."""
        table, look, problems = self.sheet.table, self.sheet.survey, self.scan.problems
        notes = [*self._roles(), *self._repeated(), *look.notes()]
        if not self.sheet.options.metrics and not any(outcome.decides for outcome in self.sheet.outcomes()):
            notes.append("no metric decides: name those that do with --metric")
        return FileReport(
            file=table.source.name,
            separator=table.separator_name,
            rows=self.scan.rows,
            read=self.scan.rows - len(problems),
            left_out=left_out(problems),
            columns=columns_read(look, self.sheet.roles, self.scan.values, more),
            notes=tuple(notes),
        )


def _whole_days(scan: Scan, seen: set[tuple[str, datetime]]) -> bool:
    """Whether there is no unit, and one row for each arm and day: totals, not units."""
    good = scan.rows - len(scan.problems)
    whole = all((at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0) for _, at in seen)
    return scan.roles.unit is None and scan.roles.time is not None and good == len(seen) > 3 and whole


def read_rows(
    sheet: Sheet,
    values: Sequence[ValueColumn],
    on_reading: Callable[[Reading], object],
    texts: Sequence[int] = (),
    now: datetime | None = None,
) -> FileReading:
    """Read every row. on_reading: told each good one, also those of units that turn out to be in several arms.
    texts: columns that are read as they are.

    Raises FileError where rows break a rule and may not be skipped, and for a file without two arms.
    """
    options = sheet.options
    scan = Scan(sheet.table, sheet.roles, values, now or datetime.now(UTC), options.control, texts)
    days: set[tuple[str, datetime]] = set()
    for reading in scan.readings():
        if reading.time is not None and len(days) <= _MOST_DAYS:
            days.add((reading.arm, reading.time))
        on_reading(reading)
    scan.leave_out_crossed()
    bad = sum(problem.kind != IN_SEVERAL_ARMS for problem in scan.problems.values())
    if bad and (bad == scan.rows or not options.skip_bad_rows):
        raise FileError(refusal(sheet.table.source.name, scan.problems, scan.rows, _spare(scan)))
    if _whole_days(scan, days):
        raise FileError(
            f"{sheet.table.source.name}: one row for each arm and day and no column of units: these are totals per "
            "day. Name the units' column with --unit, or give one row per metric and arm with the columns "
            "metric, variant, n, sum and, of a mean, sum_squares"
        )
    if len(scan.arms) < options.fewest_arms and scan.crossed:
        raise FileError(
            f"{sheet.table.source.name}: {len(scan.crossed):,} of {len(scan.codes):,} units are in more than one arm, "
            f"which leaves {len(scan.arms)} arms, not two"
        )
    if len(scan.arms) < options.fewest_arms:
        column = sheet.table.columns[sheet.roles.variant]
        count = f"{len(scan.arms)} arm{'s' * (len(scan.arms) != 1)}"
        found = f" ({', '.join(scan.arms)})" if scan.arms else ""
        raise FileError(f"--variant: column {column!r} has {count}{found}, not two")
    return FileReading(sheet, scan, arm_keys(scan.arms))


def _spare(scan: Scan) -> list[str]:
    time = [] if scan.roles.time is None else [scan.table.columns[scan.roles.time]]
    return [*time, *(column.name for column in scan.values)]
