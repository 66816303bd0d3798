"""One experiment's snapshots and rows as the statistics engine's experiment. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from neonblue.analysis.rows import ArmUnits, ExperimentRows, MomentRow, QuantileRow, quantile_level
from neonblue.analysis.sums import covariate_of, moments_of, ratio_of
from neonblue.contract.guardrails import can_be_watched
from neonblue.contract.messages import ExperimentMessage, MetricMessage
from neonblue.contract.metric_types import ADJUSTED, DIVIDED, METRIC_TYPES, SUMMED
from neonblue.statistics import (
    AllocationVersion,
    Direction,
    Experiment,
    Inference,
    Metric,
    MetricKind,
    Plan,
    QuantileSummary,
    Role,
)
from neonblue.statistics.methods.by_kind import AnyMoments

_ENDED = frozenset({"concluded", "archived"})

Weights = tuple[tuple[str, float], ...]
Cells = dict[tuple[str, str], AnyMoments]


def experiment_of(
    configurations: Mapping[int, ExperimentMessage], rows: ExperimentRows, judged: Callable[[MomentRow], bool]
) -> Experiment:
    """The newest configuration's metrics and arms, over the rows that are judged.

    configurations: the experiment's snapshots by version, at least one. The units of rows that are not judged count in
    the allocation all the same.
    """
    newest = configurations[max(configurations)]
    moments = [row for row in rows.moments if judged(row)]
    control = next(variant.key for variant in newest.variants if variant.is_control)
    return Experiment(
        control=control,
        arms=tuple(variant.key for variant in newest.variants),
        metrics=tuple(
            metric_of(metric, newest.unit_type, watchers_of(newest, metric)) for metric in newest.metrics
        ),
        moments=_moments_of_all(newest, moments, _adjusted(newest, moments))
        | _quantiles(newest, rows.quantiles),
        versions=allocation_versions(configurations, rows.units or entered_units(rows.moments), moments),
        unit=newest.unit_type,
        exposed=max(rows.exposed, rows.several_arms),
        multiply_exposed=rows.several_arms,
        missing=_missing(newest, moments, rows.quantiles),
        dropped=frozenset(variant.key for variant in newest.variants if not variant.active),
        reserved=int(any(metric.place == 0 for metric in newest.watched)),
    )


def metric_of(metric: MetricMessage, unit: str, watchers: int = 1) -> Metric:
    """The metric with its part in the decision. watchers: as in `Metric`."""
    decrease = metric.direction == "decrease"
    return Metric(
        name=metric.key,
        kind=MetricKind(METRIC_TYPES[metric.type].judged_as),
        role=Role(metric.role),
        direction=Direction.LOWER_IS_BETTER if decrease else Direction.HIGHER_IS_BETTER,
        margin=None if metric.margin is None else float(metric.margin),
        margin_relative=metric.margin_relative,
        unit=unit,
        watchers=watchers,
    )


def watchers_of(experiment: ExperimentMessage, metric: MetricMessage) -> int:
    """How many tests of a guardrail may raise an alarm: the decision's, and that of the sensor where it watches.

    Both are one where the decision is by a confidence sequence as well and adjusts nothing: that is the sensor's.
    """
    if experiment.source != "internal" or not can_be_watched(metric):
        return 1
    adjusted = metric.cuped and metric.type in ADJUSTED
    same = plan_of(experiment).inference is Inference.CONFIDENCE_SEQUENCE and not adjusted
    return 1 if same else 2


def plan_of(experiment: ExperimentMessage) -> Plan:
    """The plan that was frozen at the start. Of what was collected elsewhere one look decides."""
    ended = experiment.status in _ENDED
    if experiment.source == "external" or experiment.inference is None:
        return Plan(ended=ended or experiment.source == "external", planned_units=experiment.planned_units)
    inference = Inference(experiment.inference)
    if inference is Inference.GROUP_SEQUENTIAL and experiment.planned_units is None:
        inference = Inference.CONFIDENCE_SEQUENCE
    return Plan(inference=inference, planned_units=experiment.planned_units, ended=ended)


def allocation_versions(
    configurations: Mapping[int, ExperimentMessage],
    units: Sequence[ArmUnits],
    moments: Sequence[MomentRow] = (),
) -> tuple[AllocationVersion, ...]:
    """Units per arm and their sums beside the weights of the configuration version they entered under.

    Versions with the same weights are one: a change of a name is no change of the allocation. Sums of a version whose
    snapshot has not arrived count with the version before it.
    """
    newest = configurations[max(configurations)]
    adjusted = _adjusted(newest, moments)
    groups: dict[Weights, _Group] = {}
    for version in sorted({unit.version for unit in units} & set(configurations)):
        group = groups.setdefault(_weights(configurations[version]), _Group([], {}, []))
        group.versions.append(version)
        for unit in units:
            if unit.version == version:
                group.observed[unit.variant_key] = group.observed.get(unit.variant_key, 0) + unit.units
    for row in moments:
        known = [version for version in configurations if version <= row.version] or [min(configurations)]
        weights = _weights(configurations[max(known)])
        if weights in groups:
            groups[weights].rows.append(row)
    return tuple(
        AllocationVersion(
            f"version {', '.join(map(str, group.versions))}",
            dict(weights),
            group.observed,
            _moments_of_all(newest, group.rows, adjusted) if len(groups) > 1 else {},
            _missing(newest, group.rows, ()) if len(groups) > 1 else {},
        )
        for weights, group in groups.items()
    )


@dataclass(slots=True)
class _Group:
    """What entered under the same weights."""

    versions: list[int]
    observed: dict[str, int]
    rows: list[MomentRow]


def _weights(configuration: ExperimentMessage) -> Weights:
    return tuple(
        (variant.key, float(variant.weight if variant.active else 0)) for variant in configuration.variants
    )


def entered_units(moments: Sequence[MomentRow]) -> list[ArmUnits]:
    """Units by version and arm, ascending: those of the metric that has most. Every unit has a row in each."""
    counts: dict[tuple[int, str], dict[tuple[str, int], int]] = defaultdict(lambda: defaultdict(int))
    for row in moments:
        counts[row.version, row.variant_key][row.metric_key, row.metric_version] += row.n + row.missing
    return [ArmUnits(version, arm, max(counts[version, arm].values())) for version, arm in sorted(counts)]


def entered_by_day(moments: Sequence[MomentRow]) -> dict[tuple[date, str], int]:
    """Units by the day on which they entered and arm, as `entered_units` counts them."""
    days: dict[date, list[MomentRow]] = defaultdict(list)
    for row in moments:
        days[row.exposure_date].append(row)
    found: dict[tuple[date, str], int] = defaultdict(int)
    for day, rows in sorted(days.items()):
        for arm in entered_units(rows):
            found[day, arm.variant_key] += arm.units
    return dict(found)


def _moments_of_all(
    newest: ExperimentMessage, moments: Sequence[MomentRow], adjusted: frozenset[str]
) -> Cells:
    grouped: dict[tuple[str, int, str], list[MomentRow]] = defaultdict(list)
    for row in moments:
        grouped[row.metric_key, row.metric_version, row.variant_key].append(row)
    return {
        (metric.key, variant.key): _moments(
            metric, grouped[metric.key, metric.version, variant.key], metric.key in adjusted
        )
        for metric in newest.metrics
        if metric.type in SUMMED
        for variant in newest.variants
    }


def _adjusted(newest: ExperimentMessage, moments: Sequence[MomentRow]) -> frozenset[str]:
    """The metrics with a covariate in every arm that has rows: versions of one metric have moments of one kind."""
    versions = {
        metric.key: metric.version for metric in newest.metrics if metric.cuped and metric.type in ADJUSTED
    }
    arms: dict[str, dict[str, bool]] = defaultdict(lambda: defaultdict(bool))
    for row in moments:
        if versions.get(row.metric_key) == row.metric_version:
            arms[row.metric_key][row.variant_key] |= row.covariate is not None
    return frozenset(metric for metric, found in arms.items() if all(found.values()))


def _moments(metric: MetricMessage, rows: Sequence[MomentRow], covariate: bool) -> AnyMoments:
    if metric.type in DIVIDED:
        return ratio_of(rows)
    return covariate_of(rows) if covariate else moments_of(rows)


def _quantiles(newest: ExperimentMessage, quantiles: Sequence[QuantileRow]) -> Cells:
    wanted = {(metric.key, metric.version): metric for metric in newest.metrics if metric.type not in SUMMED}
    return {
        (row.metric_key, row.variant_key): _quantile(wanted[row.metric_key, row.metric_version], row)
        for row in quantiles
        if (row.metric_key, row.metric_version) in wanted
    }


def _quantile(metric: MetricMessage, row: QuantileRow) -> QuantileSummary:
    level = quantile_level(metric)
    return QuantileSummary(row.n, row.n, level, row.value, row.lower, row.upper, row.interpolated)


def _missing(
    newest: ExperimentMessage, moments: Sequence[MomentRow], quantiles: Sequence[QuantileRow]
) -> dict[tuple[str, str], int]:
    """Units without a value, by metric and arm. A quantile's own count stands where it has no sums beside it."""
    versions = {metric.key: metric.version for metric in newest.metrics}
    found: dict[tuple[str, str], int] = defaultdict(int)
    for row in moments:
        if versions.get(row.metric_key) == row.metric_version:
            found[row.metric_key, row.variant_key] += row.missing
    for quantile in quantiles:
        if versions.get(quantile.metric_key) == quantile.metric_version:
            found.setdefault((quantile.metric_key, quantile.variant_key), quantile.missing)
    return {cell: count for cell, count in found.items() if count}
