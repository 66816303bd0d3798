"""What ``neonblue analyze`` says of the cells that were blank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from neonblue.statistics import Experiment
from neonblue.statistics.experiment.from_table import MetricColumns
from neonblue.statistics.experiment.missing import Missing
from neonblue.statistics.methods.missing_covariate import PartialCovariateMoments
from neonblue.tables.blanks import Blanks, counted_as_zero, per_arm, require_policies


@dataclass(frozen=True, slots=True)
class MissingNote:
    """What became of a metric's blank cells.

    policy: zero, exclude, or indicator for those of a covariate. cells: how many were blank; units: how many units of
    each arm have no value (or no covariate) for that; empty where blanks count as zero.
    """

    metric: str
    policy: str
    cells: int
    units: Mapping[str, int]
    sentence: str


def require_missing(specs: Sequence[MetricColumns], blank: Mapping[str, int], rows: int) -> None:
    """FileError where it must be said what blank cells count as. blank: such cells by column, of so many rows."""
    require_policies(
        Blanks(spec.metric.name, _blank(blank, spec.value_columns), rows * len(spec.value_columns))
        for spec in specs
        if spec.missing is None
    )


def missing_notes(
    experiment: Experiment, specs: Sequence[MetricColumns], blank: Mapping[str, int]
) -> Iterator[MissingNote]:
    """A note for each metric with blank cells, and one for each whose covariate has some."""
    for spec in specs:
        cells = _blank(blank, spec.value_columns)
        if cells:
            yield _note_of_values(experiment, spec, cells)
        lacking = _blank(blank, (spec.covariate,) if spec.covariate else ())
        if lacking:
            yield _note_of_covariate(experiment, spec, lacking)


def _note_of_values(experiment: Experiment, spec: MetricColumns, blank: int) -> MissingNote:
    name = spec.metric.name
    if spec.missing is not Missing.EXCLUDE:
        return MissingNote(name, Missing.ZERO.value, blank, {}, counted_as_zero(name, blank))
    units = {arm: experiment.missing.get((name, arm), 0) for arm in experiment.control_first}
    total = sum(units.values())
    sentence = f"{name}: {blank:,} blank cells are left out; every unit has a value all the same"
    if total:
        of = {arm: count + _units(experiment, name, arm) for arm, count in units.items()}
        sentence = (
            f"{name}: {total:,} unit{'s' * (total != 1)} without a value left out: {per_arm(units, of)}"
        )
    return MissingNote(name, Missing.EXCLUDE.value, blank, units, sentence)


def _note_of_covariate(experiment: Experiment, spec: MetricColumns, blank: int) -> MissingNote:
    name = spec.metric.name
    moments = {arm: experiment.moments.get((name, arm)) for arm in experiment.control_first}
    units = {
        arm: found.missing.n if isinstance(found, PartialCovariateMoments) else 0
        for arm, found in moments.items()
    }
    of = {arm: _units(experiment, name, arm) for arm in units}
    total = sum(units.values())
    lack = "unit has" if total == 1 else "units have"
    sentence = f"{name}: {total:,} {lack} no covariate {spec.covariate}: {per_arm(units, of)}"
    return MissingNote(name, "indicator", blank, units, sentence)


def _units(experiment: Experiment, metric: str, arm: str) -> int:
    moments = experiment.moments.get((metric, arm))
    return moments.n if moments is not None else 0


def _blank(blank: Mapping[str, int], names: Sequence[str]) -> int:
    return sum(blank.get(name, 0) for name in names)
