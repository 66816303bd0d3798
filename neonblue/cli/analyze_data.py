"""From the file of ``neonblue analyze`` to an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neonblue.cli.analyze_columns import Roles, columns_of, metrics_of
from neonblue.cli.analyze_missing import MissingNote, missing_notes, with_policies
from neonblue.simulation import cells
from neonblue.simulation.blanks import Policies
from neonblue.simulation.mapping import UNIT_NAMES, VARIANT_NAMES
from neonblue.simulation.table import ImportFileError, Table
from neonblue.statistics import Experiment, MetricKind
from neonblue.statistics.tables import UnitTable, experiment_from_sums, experiment_from_units, kind_of_row


@dataclass(frozen=True, slots=True)
class Options:
    """What the command's options say about the file; None and empty: find out.

    winsorize: the pooled percentile at which means are capped, above 50 and at most 100.
    """

    variant: str | None = None
    control: str | None = None
    unit: str | None = None
    metrics: tuple[str, ...] = ()
    roles: Roles = field(default_factory=Roles)
    weights: Mapping[str, float] | None = None
    winsorize: float | None = None
    missing: Policies = field(default_factory=Policies)


@dataclass(frozen=True, slots=True)
class FileData:
    """The experiment that a file holds, and what became of its blank cells."""

    experiment: Experiment
    notes: tuple[MissingNote, ...] = ()


def read_experiment(table: Table, options: Options) -> FileData:
    """Read a file of units, of events, or of sums. Raises ImportFileError, CellError or ValueError."""
    if {"metric", "n"} <= set(table.columns):
        return FileData(_from_sums(table, options))
    return _from_units(table, options)


def _from_units(table: Table, options: Options) -> FileData:
    arm_column = _arms(table, options.variant)
    unit_column = _column(table, options.unit, "--unit", UNIT_NAMES)
    rows = list(zip(*(row.cells for row in table.rows()), strict=True))
    if not rows:
        raise ImportFileError(f"{table.path}: there are no rows below the header")
    cells_of = dict(zip(table.columns, rows, strict=True))
    columns = {name: values for name, values in cells_of.items() if name not in (arm_column, unit_column)}
    specs = with_policies(columns_of(columns, options.metrics, options.roles), columns, options.missing)
    used = {name for spec in specs for name in (*spec.value_columns, spec.covariate) if name}
    units = UnitTable(
        arms=np.array(cells_of[arm_column], dtype=np.str_),
        columns={name: _numbers(columns[name]) for name in used},
        units=None if unit_column is None else np.array(cells_of[unit_column], dtype=np.str_),
    )
    base = _control(sorted(set(cells_of[arm_column])), options.control)
    percentile = None if options.winsorize is None else options.winsorize / 100
    experiment = experiment_from_units(units, specs, base, options.weights, percentile)
    return FileData(experiment, tuple(missing_notes(experiment, specs, columns)))


def _from_sums(table: Table, options: Options) -> Experiment:
    if options.missing != Policies():
        raise ImportFileError("--missing: a file of sums has no cells of units: nothing in it may be blank")
    arm_column = _arms(table, options.variant)
    rows = [dict(zip(table.columns, row.cells, strict=False)) for row in table.rows()]
    rows = [row | {"variant": row[arm_column]} for row in rows]
    kinds: dict[str, MetricKind] = {}
    for row in rows:
        # A proportion is what has the fewest sums: the other arms' rows may show that one of these is blank.
        if kinds.get(row["metric"], MetricKind.PROPORTION) is MetricKind.PROPORTION:
            kinds[row["metric"]] = kind_of_row(row)
    base = _control(sorted({row["variant"] for row in rows}), options.control)
    return experiment_from_sums(rows, metrics_of(kinds, options.roles), base, options.weights)


def _numbers(column: Sequence[str]) -> NDArray[np.float64]:
    """The cells' values, NaN where they are blank."""
    values = [cells.number(cell) for cell in column]
    return np.array([np.nan if value is None else float(value) for value in values])


def _arms(table: Table, given: str | None) -> str:
    column = _column(table, given, "--variant", VARIANT_NAMES)
    if column is None:
        raise ImportFileError(f"--variant: name the column of the arms; there are {', '.join(table.columns)}")
    return column


def _column(table: Table, given: str | None, option: str, known: Sequence[str]) -> str | None:
    if given is not None:
        return table.columns[table.index(given, option)]
    lowered = {column.lower().replace(" ", "_"): column for column in table.columns}
    return next((lowered[name] for name in known if name in lowered), None)


def _control(arms: Sequence[str], given: str | None) -> str:
    """The named control, else the arm called so, else the first of two in the alphabet."""
    if given is not None:
        return given
    named = [arm for arm in arms if arm.lower() in ("control", "a", "baseline")]
    if not named and len(arms) != 2:
        raise ImportFileError(f"--control: say which of {', '.join(arms)} is the control")
    return (named or list(arms))[0]
