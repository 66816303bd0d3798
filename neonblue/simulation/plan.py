"""What an import will send: decided in one pass over the file, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid5

from neonblue.client import Metric, NewAssignment, NewEvent, NewExperiment, Variant
from neonblue.simulation import cells
from neonblue.simulation.mapping import Mapping, MetricColumn, MetricKind, slug
from neonblue.simulation.table import ImportFileError, Row, Table

NAMESPACE = UUID("6c1f2b0e-9a54-5e55-8f0a-2f6d3b7f1c11")
"""Of the ids of imported events: UUIDv5 of file digest, row and metric."""

OUTCOME_DELAY = timedelta(seconds=1)
"""Outcomes count from the exposure on; a row has one time, so they are set shortly after it."""

MOST_VARIANTS = 64
LONGEST_ID = 256

CONTROL_NAMES = frozenset({"a", "0", "false", "off", "none", "baseline"})


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that can't be used, and why."""

    row: Row
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one good row says."""

    unit: str
    variant: str
    time: datetime
    outcomes: tuple[tuple[MetricColumn, Decimal | None], ...]


class RowError(ValueError):
    """The row breaks a rule."""


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """How a unit enters: the variant of its first row, and its earliest time."""

    variant: str
    time: datetime
    row: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The mapping, the arms found (raw name → key, in order of name), each unit's entry, and the bad rows."""

    table: Table
    mapping: Mapping
    variants: dict[str, str]
    units: dict[str, UnitEntry]
    rejections: dict[int, str]
    rows: int

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
        """An event for each outcome that is not zero: a unit without events counts 0 all the same."""
        for metric, value in reading.outcomes:
            yield NewEvent(
                id=uuid5(NAMESPACE, f"{self.table.digest}:{row.number}:{metric.column}:{metric.name}"),
                user_id=reading.unit,
                event_type=metric.name,
                timestamp=reading.time + OUTCOME_DELAY,
                experiment_id=experiment_id,
                value=value,
            )


def make_plan(table: Table, mapping: Mapping) -> Plan:
    """Read the whole file once. Raises ImportFileError where it gives no experiment."""
    units: dict[str, UnitEntry] = {}
    rejections: dict[int, str] = {}
    raw_variants: set[str] = set()
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
        raw_variants.add(reading.variant)
        if len(raw_variants) > MOST_VARIANTS:
            raise ImportFileError(f"--variant: column {column!r} has over {MOST_VARIANTS} values: no arms")
    if len(raw_variants) < 2:
        example = "".join(f" (a bad row: {reason})" for reason in list(rejections.values())[:1])
        raise ImportFileError(f"--variant: column {column!r} has {len(raw_variants)} arms, not two{example}")
    return Plan(table, mapping, _keys(raw_variants), units, rejections, rows)


def read_row(row: Row, table: Table, mapping: Mapping) -> Reading:
    """What the row says. Raises RowError which names the column."""
    if len(row.cells) != len(table.columns):
        raise RowError(f"{len(row.cells)} cells where the header names {len(table.columns)} columns")
    unit = str(row.number) if mapping.unit is None else row.cells[mapping.unit].strip()
    variant = row.cells[mapping.variant].strip()
    if not 1 <= len(unit) <= LONGEST_ID or "\0" in unit:
        raise RowError(f"{_column(table, mapping.unit)}: the unit must have 1 to {LONGEST_ID} characters")
    if not variant:
        raise RowError(f"{table.columns[mapping.variant]}: the variant is blank")
    return Reading(unit, variant, _time(row, table, mapping), _outcomes(row, mapping))


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


def _sounds_like_control(raw: str, key: str) -> bool:
    return key in CONTROL_NAMES or "control" in key or raw.lower().startswith("no ")


def experiment_name(table: Table) -> str:
    """Names the content too, so that another file under the same key is noticed."""
    return f"{table.path.name} (sha256 {table.digest[:16]})"


def _arms(variants: dict[str, str]) -> str:
    return f"the arms are {', '.join(variants)}"


def _column(table: Table, place: int | None) -> str:
    return "row number" if place is None else table.columns[place]


def _time(row: Row, table: Table, mapping: Mapping) -> datetime:
    if mapping.time is None:
        assert mapping.start is not None  # noqa: S101 - the mapping guarantees it
        return mapping.start
    try:
        return cells.time(row.cells[mapping.time])
    except cells.CellError as error:
        raise RowError(f"{table.columns[mapping.time]}: {error}") from None


def _outcomes(row: Row, mapping: Mapping) -> tuple[tuple[MetricColumn, Decimal | None], ...]:
    found: list[tuple[MetricColumn, Decimal | None]] = []
    for metric in mapping.metrics:
        try:
            if metric.kind is MetricKind.PROPORTION:
                found.extend([(metric, None)] * cells.truth(row.cells[metric.index]))
            elif value := cells.number(row.cells[metric.index]):
                found.append((metric, value))
        except cells.CellError as error:
            raise RowError(f"{metric.column}: {error}") from None
    return tuple(found)


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
    proportion = metric.kind is MetricKind.PROPORTION
    return Metric(
        key=metric.name,
        type=metric.kind.value,
        event_type=metric.name,
        aggregation="any" if proportion else "sum",
        role="primary" if primary else "secondary",
    )
