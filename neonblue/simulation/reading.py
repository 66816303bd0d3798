"""What one row of a data file says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from neonblue.simulation import cells
from neonblue.simulation.mapping import Mapping, MetricColumn, MetricKind
from neonblue.simulation.table import Row, Table

LONGEST_ID = 256


@dataclass(frozen=True, slots=True)
class Reading:
    """What one good row says. outcomes: each metric's value, truth values as 1 and 0, None where the cell is blank."""

    unit: str
    variant: str
    time: datetime
    outcomes: tuple[tuple[MetricColumn, Decimal | None], ...]


class RowError(ValueError):
    """The row breaks a rule."""


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
        cell = row.cells[metric.index]
        try:
            if metric.kind is MetricKind.PROPORTION:
                truth = cells.truth(cell)
                found.append((metric, None if truth is None else Decimal(truth)))
            else:
                found.append((metric, cells.number(cell)))
        except cells.CellError as error:
            raise RowError(f"{metric.column}: {error}") from None
    return tuple(found)
