"""What became of a file: how it was read, and which rows were left out for what reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote

from neonblue.tables.errors import at
from neonblue.tables.outcomes import passed_over
from neonblue.tables.roles import Roles
from neonblue.tables.scan import IN_SEVERAL_ARMS, Problem, ValueColumn
from neonblue.tables.survey import ColumnSurvey, Survey
from neonblue.tables.table import NAMES_SHOWN

LINES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ColumnRead:
    """A column and what it was read as: unit, arm, time, truth values, numbers, or passed over; and how, or why not."""

    column: str
    read_as: str
    how: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows that were left out for one kind of reason: how many, the lines of the first, and the first one's reason."""

    kind: str
    rows: int
    lines: tuple[int, ...]
    first: str

    @property
    def sentence(self) -> str:
        """All of it in words."""
        if self.rows == 1:
            return f"line {self.lines[0]}: {self.first}"
        more = self.rows - len(self.lines)
        lines = ", ".join(map(str, self.lines)) + (f" and {more:,} more" if more else "")
        return f"{self.rows:,} rows (lines {lines}): {self.first}"


@dataclass(frozen=True, slots=True)
class FileReport:
    """A file as it was read.

    rows: below the header; read: of those; left_out: the others, by reason. columns: how each was read. notes: of
    blank lines and the like, in words.
    """

    file: str
    separator: str
    rows: int
    read: int
    left_out: tuple[LeftOut, ...]
    columns: tuple[ColumnRead, ...]
    notes: tuple[str, ...] = ()

    def sentences(self) -> Iterator[str]:
        """What a reader should know: rows, separator, what was passed over or left out."""
        separated = "" if self.separator == "comma" else f", columns separated by {self.separator}"
        yield f"{self.read:,} of {self.rows:,} rows read{separated}"
        yield from self.notes
        for group in self.left_out:
            yield f"left out: {group.sentence}"
        told = [
            f"{c.column} {c.how}" for c in self.columns if c.how and c.read_as not in ("passed over", "unit")
        ]
        if told:
            yield "read " + _listed(told)
        passed = [
            f"{column.column} ({column.how})" for column in self.columns if column.read_as == "passed over"
        ]
        if passed:
            yield "passed over: " + _listed(passed)


def _listed(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - NAMES_SHOWN:,} more" if len(texts) > NAMES_SHOWN else ""
    return "; ".join(texts[:NAMES_SHOWN]) + more


def left_out(problems: Mapping[int, Problem]) -> tuple[LeftOut, ...]:
    """The rows that were left out, by kind of reason, in the order of the file."""
    groups: dict[str, list[tuple[int, Problem]]] = {}
    for row, problem in sorted(problems.items()):
        groups.setdefault(problem.kind, []).append((row, problem))
    return tuple(
        LeftOut(
            kind,
            len(found),
            tuple(problem.line for _, problem in found[:LINES_SHOWN]),
            found[0][1].text if len(found) > 1 else f"row {found[0][0]}: {found[0][1].text}",
        )
        for kind, found in groups.items()
    )


def refusal(name: str, problems: Mapping[int, Problem], rows: int, columns: Collection[str]) -> str:
    """Why a file with these rows is refused, and what to do. columns: those that a caller could do without."""
    groups = [group for group in left_out(problems) if group.kind != IN_SEVERAL_ARMS]
    bad = sum(group.rows for group in groups)
    first, problem = next((row, p) for row, p in sorted(problems.items()) if p.kind != IN_SEVERAL_ARMS)
    if bad == 1:
        what = f"{name}: {at(problem.line, first)}: {problem.text}"
    else:
        what = f"{name}: {bad:,} of {rows:,} rows can't be read, the first is {at(problem.line, first)}\n"
        what += "\n".join(f"  {group.sentence}" for group in groups)
    ways = ["mend the file"]
    if bad < rows:
        ways.append(f"say --skip-bad-rows to leave {'it' if bad == 1 else 'them'} out")
    spare = [group.kind for group in groups if group.kind in columns]
    if spare:
        ways.append(f"--ignore {quote(spare[0])} to pass the column over")
    ways[0] = ways[0].capitalize()
    return f"{what}\n{', or '.join(ways)}"


def columns_read(
    survey: Survey, roles: Roles, values: Sequence[ValueColumn], more: Iterable[int] = ()
) -> tuple[ColumnRead, ...]:
    """How each column was read, in the order of the file. more: columns that are read as texts."""
    columns = survey.table.columns
    found = {
        value.index: ColumnRead(value.name, _kind(survey.columns[value.index]), value.notation.words)
        for value in values
    }
    for place in more:
        found.setdefault(place, ColumnRead(columns[place], "segments"))
    named = ((roles.unit, "unit"), (roles.variant, "arm"), (roles.time, "time"))
    found |= {place: ColumnRead(columns[place], word) for place, word in named if place is not None}
    for passed in passed_over(survey, roles, found):
        found[passed.index] = ColumnRead(passed.name, "passed over", passed.why)
    return tuple(found[place] for place in sorted(found))


def _kind(column: ColumnSurvey) -> str:
    return "truth values" if column.is_truth else "numbers"
