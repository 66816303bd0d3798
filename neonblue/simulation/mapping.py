"""Which column of a data file means what: by the options, else by the header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from neonblue.simulation import cells
from neonblue.simulation.blanks import Policies
from neonblue.simulation.table import ImportFileError, Table
from neonblue.statistics.missing import Missing

UNIT_NAMES = ("user_id", "userid", "unit_id", "unit", "user", "customer_id", "visitor_id", "device_id")
VARIANT_NAMES = ("variant", "variant_key", "group", "test_group", "version", "test_version", "arm", "segment")
TIME_NAMES = ("timestamp", "time", "assigned_at", "exposed_at", "datetime", "date", "created_at")

CLEAR_SHARE = 0.5
"""A column is boolean or numeric when most of its cells are: bad rows are then refused one by one."""


class MetricKind(StrEnum):
    """How a column becomes a metric of its unit."""

    PROPORTION = "proportion"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class MetricColumn:
    """A metric and the place of its column. missing: what its blank cells count as; None: there must be none."""

    name: str
    column: str
    index: int
    kind: MetricKind
    missing: Missing | None = None

    @property
    def excludes(self) -> bool:
        """Whether a unit without a value is left out: then each value is sent, also 0."""
        return self.missing is Missing.EXCLUDE


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller said; None and empty: find out."""

    unit: str | None = None
    variant: str | None = None
    control: str | None = None
    time: str | None = None
    start: datetime | None = None
    metrics: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mapping:
    """Places of the columns. `unit` None: the row's number; `time` None: `start` for every row."""

    unit: int | None
    variant: int
    time: int | None
    start: datetime | None
    metrics: tuple[MetricColumn, ...]


def map_columns(table: Table, options: Options) -> Mapping:
    """The mapping. Raises ImportFileError which names the option and column at fault."""
    variant = _given_or_known(table, options.variant, "--variant", VARIANT_NAMES)
    if variant is None:
        there = ", ".join(table.columns)
        raise ImportFileError(f"--variant: name the column of the arms; the columns are {there}")
    unit = _given_or_known(table, options.unit, "--unit", UNIT_NAMES)
    time = None
    if options.time is not None or options.start is None:
        time = _given_or_known(table, options.time, "--time", TIME_NAMES)
    if time is None and options.start is None:
        raise ImportFileError("--start: the file has no column of times, say when it began (or name --time)")
    taken = {place for place in (unit, variant, time) if place is not None}
    metrics = _with_policies(_metrics(table, options.metrics, taken), options.missing)
    return Mapping(unit, variant, time, options.start, metrics)


def _given_or_known(table: Table, given: str | None, option: str, known: Sequence[str]) -> int | None:
    if given is not None:
        return table.index(given, option)
    lowered = [column.lower().replace(" ", "_") for column in table.columns]
    return next((lowered.index(name) for name in known if name in lowered), None)


def _metrics(table: Table, given: Sequence[str], taken: set[int]) -> tuple[MetricColumn, ...]:
    if given:
        found = _complete(table, [_parse(table, text) for text in given])
    else:
        places = [index for index in range(len(table.columns)) if index not in taken]
        kinds = {index: content.kind for index, content in _contents(table, places).items()}
        found = [_named(table, index, kind) for index, kind in kinds.items() if kind is not None]
    if not found:
        raise ImportFileError("--metric: no column holds numbers or truth values; name one as name=COLUMN")
    names = [metric.name for metric in found]
    if len(set(names)) < len(names):
        raise ImportFileError(f"--metric: the names must differ, got {', '.join(names)}")
    if "exposure" in names:
        raise ImportFileError("--metric: the name 'exposure' is taken by the exposures themselves")
    return tuple(found)


def _with_policies(metrics: Sequence[MetricColumn], given: Sequence[str]) -> tuple[MetricColumn, ...]:
    policies = Policies.parse(given)
    policies.check([metric.name for metric in metrics])
    return tuple(replace(metric, missing=policies.of(metric.name)) for metric in metrics)


def _parse(table: Table, text: str) -> tuple[str, int, MetricKind | None]:
    """Read `name=COLUMN[:proportion|mean]`, or `COLUMN` alone."""
    kind = None
    left, _, word = text.rpartition(":")
    if left and word in set(MetricKind):
        text, kind = left, MetricKind(word)
    name, equals, column = text.partition("=")
    return slug(name), table.index(column if equals else name, "--metric"), kind


def _complete(table: Table, parsed: Sequence[tuple[str, int, MetricKind | None]]) -> list[MetricColumn]:
    """Find out the kinds that were not given."""
    contents = _contents(table, [index for _, index, kind in parsed if kind is None])
    found = []
    for name, index, given in parsed:
        kind = given or contents[index].kind
        if kind is None:
            other = contents[index].example or "all blank"
            column = table.columns[index]
            raise ImportFileError(f"--metric: column {column!r} holds no numbers or truth values ({other})")
        found.append(MetricColumn(name, table.columns[index], index, kind))
    return found


def _named(table: Table, index: int, kind: MetricKind) -> MetricColumn:
    return MetricColumn(slug(table.columns[index]), table.columns[index], index, kind)


@dataclass(slots=True)
class _Content:
    """What the cells of one column are. `example`: the first that is neither number nor truth value."""

    truths: int = 0
    numbers: int = 0
    others: int = 0
    example: str | None = None

    def add(self, cell: str) -> None:
        if cells.is_blank(cell):
            return
        if cells.is_truth(cell):
            self.truths += 1
        elif cells.is_number(cell):
            self.numbers += 1
        else:
            self.others += 1
            self.example = self.example or repr(cell)

    @property
    def kind(self) -> MetricKind | None:
        """Proportion where every number is 0 or 1: one 29.99 among many zeros makes it a sum."""
        usable = self.truths + self.numbers
        if not usable or usable <= CLEAR_SHARE * (usable + self.others):
            return None
        return MetricKind.MEAN if self.numbers else MetricKind.PROPORTION


def _contents(table: Table, places: Sequence[int]) -> dict[int, _Content]:
    contents = {place: _Content() for place in places}
    if contents:
        for row in table.rows():
            for place, content in contents.items():
                if place < len(row.cells):
                    content.add(row.cells[place])
    return contents


def slug(text: str) -> str:
    """A key of letters, digits, `_`, `.` and `-`, which starts with a letter or digit."""
    made = re.sub(r"[^a-z0-9_.-]+", "_", text.strip().lower()).strip("_.-")
    if not made:
        raise ImportFileError(f"{text!r} holds no letter or digit to make a key of")
    return made[:128]
