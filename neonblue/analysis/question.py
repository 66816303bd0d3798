"""One experiment's snapshots and rows, put as the statistics engine's experiment, plan and rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate

from neonblue.analysis.rows import ArmUnits, ExperimentRows, MomentRow, QuantileRow
from neonblue.analysis.sums import covariate_of, moments_of, ratio_of
from neonblue.contract.messages import ExperimentMessage, MetricMessage
from neonblue.statistics import (
    AllocationVersion,
    Deciding,
    Direction,
    Experiment,
    Metric,
    MetricKind,
    Moments,
    Plan,
    QuantileSummary,
    RatioMoments,
    Report,
    Role,
    analyze,
)
from neonblue.statistics.deciding import DecidingRule, rule_for
from neonblue.statistics.metric import AnyMoments

_KINDS = {
    "proportion": MetricKind.PROPORTION,
    "retention": MetricKind.PROPORTION,
    "count": MetricKind.MEAN,
    "mean": MetricKind.MEAN,
    "ratio": MetricKind.RATIO,
    "quantile": MetricKind.QUANTILE,
}
_ENDED = frozenset({"concluded", "archived"})
_COVARIATE_KINDS = frozenset({MetricKind.MEAN})


@dataclass(frozen=True, slots=True)
class Question:
    """What the statistics engine is asked about one experiment, and under which rule."""

    configuration: ExperimentMessage
    experiment: Experiment
    plan: Plan
    rule: DecidingRule

    def answer(self) -> Report:
        """Health, every metric in every arm, and the decision."""
        return analyze(self.experiment, self.plan, self.rule)


def ask(configurations: Mapping[int, ExperimentMessage], rows: ExperimentRows, today: date) -> Question:
    """The newest configuration's metrics and arms, with all units that ever entered.

    configurations: the experiment's snapshots by version, at least one. today: the UTC day that is still open. Under a
    group-sequential plan each closed day is a look, and units that entered on the open day wait for its end.
    """
    newest = configurations[max(configurations)]
    plan = plan_of(newest)
    moments = rows.moments
    if plan.deciding is Deciding.GROUP_SEQUENTIAL and not plan.ended:
        moments = [row for row in moments if row.exposure_date < today]
    control = next(variant.key for variant in newest.variants if variant.is_control)
    experiment = Experiment(
        control=control,
        arms=tuple(variant.key for variant in newest.variants),
        metrics=tuple(metric_of(metric, newest.unit_type) for metric in newest.metrics),
        moments=_all_moments(newest, moments, rows.quantiles),
        versions=allocation_versions(configurations, rows.units),
        unit=newest.unit_type,
        exposed=max(rows.exposed, rows.several_arms),
        multiply_exposed=rows.several_arms,
    )
    looks = looks_of(moments)
    if plan.planned_units is not None:
        plan = replace(plan, looks=tuple(look / plan.planned_units for look in looks[:-1]))
    return Question(newest, experiment, plan, rule_for(plan, looks[-1] if looks else 0))


def plan_of(experiment: ExperimentMessage) -> Plan:
    """The plan that was frozen at the start. What was collected elsewhere is complete: one look decides."""
    ended = experiment.status in _ENDED
    if experiment.source == "external" or experiment.inference is None:
        return Plan(ended=ended or experiment.source == "external", planned_units=experiment.planned_units)
    deciding = Deciding(experiment.inference)
    if deciding is Deciding.GROUP_SEQUENTIAL and experiment.planned_units is None:
        deciding = Deciding.CONFIDENCE_SEQUENCE
    return Plan(deciding=deciding, planned_units=experiment.planned_units, ended=ended)


def metric_of(metric: MetricMessage, unit: str) -> Metric:
    """The metric with its part in the decision."""
    decrease = metric.direction == "decrease"
    return Metric(
        name=metric.key,
        kind=_KINDS[metric.type],
        role=Role(metric.role),
        direction=Direction.LOWER_IS_BETTER if decrease else Direction.HIGHER_IS_BETTER,
        margin=None if metric.margin is None else float(metric.margin),
        margin_relative=metric.margin_relative,
        unit=unit,
    )


def allocation_versions(
    configurations: Mapping[int, ExperimentMessage], units: Sequence[ArmUnits]
) -> tuple[AllocationVersion, ...]:
    """Units per arm beside the weights of the configuration version they entered under.

    Versions with the same weights are one: a change of a name is no change of the allocation.
    """
    observed: dict[tuple[tuple[str, float], ...], dict[str, int]] = {}
    names: dict[tuple[tuple[str, float], ...], list[int]] = defaultdict(list)
    for version in sorted({unit.version for unit in units} & set(configurations)):
        variants = configurations[version].variants
        weights = tuple((variant.key, float(variant.weight if variant.active else 0)) for variant in variants)
        counts = observed.setdefault(weights, {})
        names[weights].append(version)
        for unit in units:
            if unit.version == version:
                counts[unit.variant_key] = counts.get(unit.variant_key, 0) + unit.units
    return tuple(
        AllocationVersion(f"version {', '.join(map(str, names[weights]))}", dict(weights), counts)
        for weights, counts in observed.items()
    )


def looks_of(moments: Sequence[MomentRow]) -> list[int]:
    """Units over all arms at the end of each day that brought some, of the metric that has most."""
    by_metric: dict[tuple[str, int], dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for row in moments:
        by_metric[row.metric_key, row.metric_version][row.exposure_date] += row.n
    most = max(by_metric.values(), key=lambda days: sum(days.values()), default={})
    return list(accumulate(most[day] for day in sorted(most)))


def _all_moments(
    newest: ExperimentMessage, moments: Sequence[MomentRow], quantiles: Sequence[QuantileRow]
) -> dict[tuple[str, str], AnyMoments]:
    grouped: dict[tuple[str, int, str], list[MomentRow]] = defaultdict(list)
    for row in moments:
        grouped[row.metric_key, row.metric_version, row.variant_key].append(row)
    ranked = {(row.metric_key, row.metric_version, row.variant_key): row for row in quantiles}
    found: dict[tuple[str, str], AnyMoments] = {}
    for metric in newest.metrics:
        arms = [(metric.key, metric.version, variant.key) for variant in newest.variants]
        covariate = metric.cuped and all(any(row.covariate for row in grouped[place]) for place in arms)
        for place in arms:
            if _KINDS[metric.type] is MetricKind.QUANTILE:
                if place in ranked:
                    found[metric.key, place[2]] = _quantile(metric, ranked[place])
            else:
                found[metric.key, place[2]] = _moments(metric, grouped[place], covariate)
    return found


def _moments(metric: MetricMessage, rows: Sequence[MomentRow], covariate: bool) -> AnyMoments:
    kind = _KINDS[metric.type]
    if not rows:
        return RatioMoments(0, 0.0, 0.0, 0.0, 0.0, 0.0) if kind is MetricKind.RATIO else Moments(0, 0.0, 0.0)
    if kind is MetricKind.RATIO:
        return ratio_of(rows)
    return covariate_of(rows) if covariate and kind in _COVARIATE_KINDS else moments_of(rows)


def _quantile(metric: MetricMessage, row: QuantileRow) -> QuantileSummary:
    level = float(metric.quantile) if metric.quantile is not None else 0.5
    return QuantileSummary(row.n, row.n, level, row.value, row.lower, row.upper)
