"""What an import will send: decided in one pass over the file, before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping as CollectionsMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from neonblue.client import Metric, NewAssignment, NewEvent, NewExperiment, Variant
from neonblue.simulation.blanks import Blanks, counted_as_zero, left_out, require_policies
from neonblue.simulation.mapping import Mapping, MetricColumn, MetricKind, slug
from neonblue.simulation.reading import Reading, RowError, read_row
from neonblue.simulation.table import ImportFileError, Row, Table
from neonblue.statistics.missing import Missing

NAMESPACE = UUID("6c1f2b0e-9a54-5e55-8f0a-2f6d3b7f1c11")
"""Of the ids of imported events: UUIDv5 of file digest, row and metric."""

OUTCOME_DELAY = timedelta(seconds=1)
"""Outcomes count from the exposure on; a row has one time, so they are set shortly after it."""

MOST_VARIANTS = 64


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """How a unit enters: the variant of its first row, and its earliest time."""

    variant: str
    time: datetime
    row: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The mapping, the arms found (raw name → key, in order of name), each unit's entry, and the bad rows.

    cells: good rows by raw arm; blanks: those whose cell is blank, by metric's name and raw arm.
    """

    table: Table
    mapping: Mapping
    variants: dict[str, str]
    units: dict[str, UnitEntry]
    rejections: dict[int, str]
    rows: int
    cells: CollectionsMapping[str, int]
    blanks: CollectionsMapping[tuple[str, str], int]

    def experiment(self, key: str, control: str | None, weights: dict[str, int]) -> NewExperiment:
        """The draft to create. Raises ImportFileError where the control is unclear."""
        control_key = choose_control(self.variants, control)
        unknown = sorted(set(weights) - set(self.variants) - set(self.variants.values()))
        if unknown:
            raise ImportFileError(f"--weight: no arm is called {', '.join(unknown)}; {_arms(self.variants)}")
        return NewExperiment(
            key=key,
            name=experiment_name(self.table),
            source="external",
            variants=[
                Variant(
                    name, weights.get(raw, weights.get(name, 1)), is_control=name == control_key, name=raw
                )
                for raw, name in self.variants.items()
            ],
            metrics=[_definition(metric, primary=not at) for at, metric in enumerate(self.mapping.metrics)],
        )

    def readings(self) -> Iterator[tuple[Row, Reading]]:
        """The good rows again, in the order of the file."""
        for row in self.table.rows():
            if row.number not in self.rejections:
                yield row, read_row(row, self.table, self.mapping)

    def assignment(self, key: str, row: Row, reading: Reading) -> NewAssignment | None:
        """The unit's assignment, from the first row that names it."""
        entry = self.units[reading.unit]
        if entry.row != row.number:
            return None
        variant = self.variants[reading.variant]
        return NewAssignment(experiment=key, user_id=reading.unit, variant_key=variant, timestamp=entry.time)

    def events(self, experiment_id: int, row: Row, reading: Reading) -> Iterator[NewEvent]:
        """An event for each value, but for a 0 where a unit without events counts 0 all the same."""
        for metric, value in reading.outcomes:
            if value is None or (value == 0 and not metric.excludes):
                continue
            yield NewEvent(
                id=uuid5(NAMESPACE, f"{self.table.digest}:{row.number}:{metric.column}:{metric.name}"),
                user_id=reading.unit,
                event_type=metric.name,
                timestamp=reading.time + OUTCOME_DELAY,
                experiment_id=experiment_id,
                value=value if _has_value(metric) else None,
            )

    def notes(self) -> Iterator[str]:
        """What becomes of each metric's blank cells, in words."""
        for metric in self.mapping.metrics:
            blank = {arm: self.blanks.get((metric.name, arm), 0) for arm in self.variants}
            if total := sum(blank.values()):
                yield (
                    left_out(metric.name, blank, self.cells)
                    if metric.excludes
                    else counted_as_zero(metric.name, total)
                )


def make_plan(table: Table, mapping: Mapping) -> Plan:
    """Read the whole file once. Raises ImportFileError where it gives no experiment."""
    units: dict[str, UnitEntry] = {}
    rejections: dict[int, str] = {}
    cells_of: Counter[str] = Counter()
    blanks: Counter[tuple[str, str]] = Counter()
    column = table.columns[mapping.variant]
    rows = 0
    for row in table.rows():
        rows += 1
        try:
            reading = read_row(row, table, mapping)
            _enter(units, reading, row.number)
        except RowError as error:
            rejections[row.number] = str(error)
            continue
        cells_of[reading.variant] += 1
        blanks.update((metric.name, reading.variant) for metric, value in reading.outcomes if value is None)
        if len(cells_of) > MOST_VARIANTS:
            raise ImportFileError(f"--variant: column {column!r} has over {MOST_VARIANTS} values: no arms")
    if len(cells_of) < 2:
        example = "".join(f" (a bad row: {reason})" for reason in list(rejections.values())[:1])
        raise ImportFileError(f"--variant: column {column!r} has {len(cells_of)} arms, not two{example}")
    _check_missing(mapping, cells_of, blanks, len(units))
    return Plan(table, mapping, _keys(set(cells_of)), units, rejections, rows, cells_of, blanks)


def choose_control(variants: dict[str, str], control: str | None) -> str:
    """The control's key: as given, else the one arm that is called so."""
    if control is not None:
        if control in variants:
            return variants[control]
        if control in variants.values():
            return control
        raise ImportFileError(f"--control: no arm is called {control!r}; {_arms(variants)}")
    telling = [
        key
        for raw, key in variants.items()
        if key in {"a", "0", "false", "off", "none", "baseline"}
        or "control" in key
        or raw.lower().startswith("no ")
    ]
    if len(telling) != 1:
        raise ImportFileError(f"--control: say which arm is the control; {_arms(variants)}")
    return telling[0]


def experiment_name(table: Table) -> str:
    """Names the content too, so that another file under the same key is noticed."""
    return f"{table.path.name} (sha256 {table.digest[:16]})"


def _arms(variants: dict[str, str]) -> str:
    return f"the arms are {', '.join(variants)}"


def _has_value(metric: MetricColumn) -> bool:
    """Whether the metric adds up values: that there is an event says all of a proportion, but not who has no answer."""
    return metric.kind is MetricKind.MEAN or metric.excludes


def _check_missing(
    mapping: Mapping, cells_of: Counter[str], blanks: Counter[tuple[str, str]], units: int
) -> None:
    """ImportFileError where it must be said what blank cells count as, or what was said can't be done."""
    rows = sum(cells_of.values())
    count = {metric.name: sum(blanks[metric.name, arm] for arm in cells_of) for metric in mapping.metrics}
    undecided = [metric.name for metric in mapping.metrics if metric.missing is None]
    require_policies(Blanks(name, count[name], rows) for name in undecided)
    for metric in mapping.metrics:
        if metric.excludes and metric.kind is MetricKind.PROPORTION and units < rows:
            raise ImportFileError(
                f"--missing: {metric.name} is a share of units, and units have several rows: blanks can be left out "
                f"with one row per unit, or of a sum (--metric {metric.name}={metric.column}:mean)"
            )


def _enter(units: dict[str, UnitEntry], reading: Reading, number: int) -> None:
    """Note the unit. Raises RowError for a unit that is in another arm already."""
    known = units.get(reading.unit)
    if known is None:
        units[reading.unit] = UnitEntry(reading.variant, reading.time, number)
    elif known.variant != reading.variant:
        raise RowError(f"unit {reading.unit!r} is in arm {known.variant!r} by row {known.row}")
    elif reading.time < known.time:
        units[reading.unit] = UnitEntry(known.variant, reading.time, known.row)


def _keys(raw: set[str]) -> dict[str, str]:
    keys = {name: slug(name) for name in sorted(raw)}
    if len(set(keys.values())) < len(keys):
        raise ImportFileError(f"--variant: the arms {', '.join(keys)} differ only in what a key can't hold")
    return keys


def _definition(metric: MetricColumn, *, primary: bool) -> Metric:
    adds = _has_value(metric)
    return Metric(
        key=metric.name,
        type=(MetricKind.MEAN if adds else MetricKind.PROPORTION).value,
        event_type=metric.name,
        aggregation="sum" if adds else "any",
        role="primary" if primary else "secondary",
        missing=(Missing.EXCLUDE if metric.excludes else Missing.ZERO).value,
    )
