"""From a table of units, or of sums, to an experiment's moments: the engine without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neonblue.statistics.experiment.experiment import AllocationVersion, Experiment, Metric
from neonblue.statistics.experiment.missing import Missing
from neonblue.statistics.methods.by_kind import KINDS, AnyMoments, MetricKind
from neonblue.statistics.methods.kind import Kind
from neonblue.statistics.methods.missing_covariate import PartialCovariateMoments
from neonblue.statistics.methods.quantiles import QuantileSummary
from neonblue.statistics.methods.winsorization import Caps, pooled_caps, winsorized
from neonblue.statistics.moments import CovariateMoments, Moments, RatioMoments

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MetricColumns:
    """A metric and the columns it is made of.

    column: the value (the numerator of a ratio); denominator: of a ratio metric; covariate: a value from
    before the exposure; level: of a quantile metric, in (0, 1). missing: what a missing value, numerator or denominator
    counts as; None: there must be none. A missing covariate is never a number: it takes no policy. Raises
    ValueError for a covariate of a ratio or a quantile.
    """

    metric: Metric
    column: str
    denominator: str | None = None
    covariate: str | None = None
    level: float = 0.5
    missing: Missing | None = None

    def __post_init__(self) -> None:
        if self.covariate is not None and not KINDS[self.metric.kind].takes_covariate:
            raise ValueError(
                f"covariate: {self.metric.name} is a {self.metric.kind}; a covariate adjusts means and proportions only"
            )

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The columns whose missing values need a policy: of the value, and of a ratio's denominator."""
        return (self.column,) if self.denominator is None else (self.column, self.denominator)


@dataclass(frozen=True, slots=True)
class UnitTable:
    """Rows of data: the arm of each, optionally the unit it belongs to, and named columns of numbers.

    Without `units` each row is a unit. With them, rows of one unit are added up first: rows are never taken
    for units. NaN is a missing value; a unit has one where any of its rows has. All arrays have one length.
    """

    arms: NDArray[np.str_]
    columns: Mapping[str, FloatArray]
    units: NDArray[np.str_] | NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Capping:
    """The caps of a mean, in the unit of its columns: what lies above counts as the cap.

    percentile: of all arms' units together, in (0.5, 1]. value, covariate: the caps; covariate None without one. above:
    units of each arm whose value lies above its cap.
    """

    percentile: float
    value: float
    covariate: float | None
    above: Mapping[str, int]


class RowError(ValueError):
    """A row of sums is at fault. row: its number, from 1."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(f"row {row}: {reason}")
        self.row, self.reason = row, reason


def experiment_from_units(
    table: UnitTable,
    metrics: Sequence[MetricColumns],
    control: str,
    weights: Mapping[str, float] | None = None,
    caps: Mapping[str, Capping] | None = None,
) -> Experiment:
    """Moments of every metric and arm from single units.

    Units in more than one arm are left out and counted as `multiply_exposed`. weights: allocation shares per arm,
    equal by default. caps: of metrics by name, as of `cappings`; units of a segment take those of all. A
    proportion's unit counts once whatever its number. Units without a value of a metric that leaves them out are
    counted in `missing`, and in the arms' units all the same. Raises ValueError for an unknown control or arm, and for
    missing values of a metric without a policy for them.
    """
    arms, columns, crossed = _per_unit(table)
    names = sorted({str(arm) for arm in arms} | set(weights or ()))
    if control not in names:
        raise ValueError(f"control: there is no arm {control!r}; the arms are {', '.join(names)}")
    masks = {arm: arms == arm for arm in names}
    moments: dict[tuple[str, str], AnyMoments] = {}
    missing: dict[tuple[str, str], int] = {}
    for spec in metrics:
        present = _present(columns, spec)
        chosen = _capped(_chosen(columns, spec, present), spec, (caps or {}).get(spec.metric.name))
        for arm, mask in masks.items():
            within = mask[present]
            if within.any():
                moments[spec.metric.name, arm] = _moments(chosen, within, spec)
            if not present.all():
                missing[spec.metric.name, arm] = int((mask & ~present).sum())
    observed = {arm: int(mask.sum()) for arm, mask in masks.items()}
    version = AllocationVersion("file", weights or dict.fromkeys(names, 1.0), observed)
    return Experiment(
        control=control,
        arms=(control, *(arm for arm in names if arm != control)),
        metrics=tuple(spec.metric for spec in metrics),
        moments=moments,
        versions=(version,),
        exposed=arms.size + crossed,
        multiply_exposed=crossed,
        missing=missing,
    )


def cappings(table: UnitTable, metrics: Sequence[MetricColumns], percentile: float) -> dict[str, Capping]:
    """The caps of the means among the metrics, by name, at the percentile of all arms together.

    percentile: in (0.5, 1]. A mean without any unit has none. Raises ValueError for a percentile out of range, and for
    a cap that leaves no variance: one that no unit's value lies below, while values differ.
    """
    arms, columns, _ = _per_unit(table)
    return {
        spec.metric.name: found
        for spec in metrics
        if KINDS[spec.metric.kind].can_be_capped and (found := _capping(arms, columns, spec, percentile))
    }


def _capping(
    arms: NDArray[np.str_], columns: Mapping[str, FloatArray], spec: MetricColumns, percentile: float
) -> Capping | None:
    present = _present(columns, spec)
    chosen = _chosen(columns, spec, present)
    values = chosen[spec.column]
    cap = pooled_caps([values], percentile).upper
    if cap is None:
        return None
    if cap <= values.min() < values.max():
        raise ValueError(
            f"the {100 * percentile:g} % cap of {spec.metric.name} is {cap:g}: under it every unit has the same value; "
            "take a higher percentile, or none"
        )
    covariate = None
    if spec.covariate is not None:
        before = chosen[spec.covariate]
        covariate = pooled_caps([before[~np.isnan(before)]], percentile).upper
    above = {str(arm): int((values[arms[present] == arm] > cap).sum()) for arm in np.unique(arms)}
    return Capping(percentile, cap, covariate, above)


def experiment_from_sums(
    rows: Sequence[Mapping[str, str]],
    metrics: Mapping[str, Metric],
    control: str,
    weights: Mapping[str, float] | None = None,
) -> Experiment:
    """Moments from a table of sums with one row per metric and arm.

    Each row has `metric`, `variant` and `n`, and either `sum` with `sum_of_squares` (for a proportion `sum`
    alone), or `sum_m, sum_d, sum_mm, sum_dd, sum_md` of a ratio, or `sum_y, sum_x, sum_yy, sum_xx, sum_xy`
    of an outcome with its covariate. The units of an arm are the largest n among its metrics. Raises
    RowError naming the row and field at fault.
    """
    moments: dict[tuple[str, str], AnyMoments] = {}
    observed: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        try:
            name, arm = row["metric"], row["variant"]
            moments[name, arm] = _row_moments(row, metrics[name].kind)
            observed[arm] = max(observed.get(arm, 0), moments[name, arm].n)
        except (KeyError, ValueError) as error:
            raise RowError(number, _reason(error)) from error
    names = sorted(set(observed) | set(weights or ()))
    if control not in names:
        raise ValueError(f"control: there is no arm {control!r}; the arms are {', '.join(names)}")
    version = AllocationVersion("file", weights or dict.fromkeys(names, 1.0), observed)
    arms = (control, *(arm for arm in names if arm != control))
    return Experiment(control, arms, tuple(metrics.values()), moments, (version,))


def kind_of_row(row: Mapping[str, str]) -> MetricKind:
    """The kind of metric a row of sums holds.

    A ratio or a mean with a covariate by its fields, a proportion where no squares are given or they equal the sum.
    """
    if row.get("sum_m"):
        return MetricKind.RATIO
    if row.get("sum_y"):
        return MetricKind.MEAN
    squares = row.get("sum_of_squares") or row.get("sum")
    return MetricKind.PROPORTION if squares == row.get("sum") else MetricKind.MEAN


def _per_unit(table: UnitTable) -> tuple[NDArray[np.str_], dict[str, FloatArray], int]:
    """One row per unit: its arm and the sums of its columns; and how many units met several arms."""
    if table.units is None:
        return table.arms, dict(table.columns), 0
    _, first, inverse = np.unique(table.units, return_index=True, return_inverse=True)
    arms = table.arms[first]
    crossed = np.zeros(first.size, dtype=bool)
    crossed[inverse[table.arms != arms[inverse]]] = True
    sums = {name: _sums(inverse, column, first.size)[~crossed] for name, column in table.columns.items()}
    return arms[~crossed], sums, int(crossed.sum())


def _sums(unit: NDArray[np.intp], column: FloatArray, units: int) -> FloatArray:
    """Each unit's sum of what its rows hold, NaN where they hold nothing."""
    present = ~np.isnan(column)
    sums = np.bincount(unit, weights=np.where(present, column, 0.0), minlength=units).astype(float)
    sums[np.bincount(unit[present], minlength=units) == 0] = np.nan
    return sums


def _columns(spec: MetricColumns) -> list[str]:
    return [*spec.value_columns, *([] if spec.covariate is None else [spec.covariate])]


def _present(columns: Mapping[str, FloatArray], spec: MetricColumns) -> NDArray[np.bool_]:
    """Which units the metric is about. ValueError for missing values of a metric without a policy for them."""
    missing = np.any([np.isnan(columns[name]) for name in spec.value_columns], axis=0)
    if spec.missing is None and missing.any():
        raise ValueError(
            f"missing: {missing.sum():,} units have no value of {spec.metric.name}; say whether to exclude them"
        )
    present: NDArray[np.bool_] = ~missing if spec.missing is Missing.EXCLUDE else np.full(missing.shape, True)
    return present


def _chosen(
    columns: Mapping[str, FloatArray], spec: MetricColumns, present: NDArray[np.bool_]
) -> dict[str, FloatArray]:
    """The columns of a metric, of the units it is about. What counts as zero is zero."""
    chosen = {name: columns[name][present] for name in _columns(spec)}
    for name in spec.value_columns:
        chosen[name] = np.nan_to_num(chosen[name], nan=0.0)
    if KINDS[spec.metric.kind].is_share:
        chosen[spec.column] = (chosen[spec.column] != 0).astype(float)
    return chosen


def _capped(
    chosen: Mapping[str, FloatArray], spec: MetricColumns, capping: Capping | None
) -> Mapping[str, FloatArray]:
    """A mean's value and covariate, each with what lies above its cap set to it."""
    if capping is None:
        return chosen
    caps = {spec.column: Caps(None, capping.value)}
    if spec.covariate is not None:
        caps[spec.covariate] = Caps(None, capping.covariate)
    return {name: winsorized(values, caps[name]) for name, values in chosen.items()}


def _moments(columns: Mapping[str, FloatArray], mask: NDArray[np.bool_], spec: MetricColumns) -> AnyMoments:
    """The moments of the units in `mask`, of one kind for all arms: partial where any unit lacks the covariate."""
    values = columns[spec.column][mask]
    if spec.denominator is not None:
        return RatioMoments.from_values(values.tolist(), columns[spec.denominator][mask].tolist())
    if spec.metric.kind is MetricKind.QUANTILE:
        return QuantileSummary.from_values(values, spec.level)
    if spec.covariate is None:
        return Moments.from_values(values.tolist())
    before, absent = columns[spec.covariate][mask], np.isnan(columns[spec.covariate])
    if not absent.any():
        return CovariateMoments.from_values(values.tolist(), before.tolist())
    lacking = absent[mask]
    return PartialCovariateMoments(
        observed=CovariateMoments.from_values(values[~lacking].tolist(), before[~lacking].tolist()),
        missing=Moments.from_values(values[lacking].tolist()),
    )


def _row_moments(row: Mapping[str, str], kind: MetricKind) -> AnyMoments:
    """The moments of the first form that the row has, of those that hold a covariate before the plain one."""
    n = int(_sum(row, "n"))
    given = [form for form in KINDS[kind].forms if form.columns]
    if not given:
        raise ValueError(f"kind: a {kind} metric can't be computed from sums")
    form = next((form for form in given if form.covariate and row.get(form.columns[0])), given[0])
    found: AnyMoments = form.moments(n, *(_column(row, name, KINDS[kind]) for name in form.columns))
    return found


def _column(row: Mapping[str, str], name: str, kind: Kind) -> float:
    # Of zeros and ones the squares are the ones.
    if kind.is_share and name == "sum_of_squares":
        return float(row.get(name) or _sum(row, "sum"))
    return float(_sum(row, name))


def _sum(row: Mapping[str, str], field: str) -> str:
    text = row[field]
    if not text.strip():
        raise ValueError(f"{field} is blank: a row of sums needs all of them")
    return text


def _reason(error: KeyError | ValueError) -> str:
    return f"there is no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)
