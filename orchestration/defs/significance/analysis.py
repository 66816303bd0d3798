"""From moments to results: which arms are compared, and with what outcome. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neonblue.contract.messages import ExperimentMessage, MetricMessage
from neonblue.statistics import (
    Comparison,
    Estimate,
    Lift,
    MetricKind,
    Moments,
    SampleRatio,
    Status,
    analyze_metric,
    sample_ratio_over_versions,
)

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class ArmMetric:
    """One arm's moments of one metric version."""

    metric_key: str
    metric_version: int
    variant_key: str
    moments: Moments


@dataclass(frozen=True, slots=True)
class ArmUnits:
    """Units of one arm that entered under one configuration version."""

    version: int
    variant_key: str
    units: int


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One metric of one treatment: the columns of `experiment_results` that the analysis decides."""

    experiment_id: int
    experiment_key: str
    metric_key: str
    metric_version: int
    control_variant: str
    variant_key: str
    n_control: int
    n_variant: int
    mean_control: float | None
    mean_variant: float | None
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    level: float
    relative_lift: float | None
    relative_ci_low: float | None
    relative_ci_high: float | None
    p_value: float | None
    log10_p: float | None
    status: str
    status_reason: str
    sample_ratio_p: float | None
    sample_ratio_status: str


def analyze_experiment(
    configurations: Mapping[int, ExperimentMessage],
    metrics: Sequence[ArmMetric],
    units: Sequence[ArmUnits],
) -> list[ResultRow]:
    """Every metric of the newest configuration, each treatment against control.

    configurations: the experiment's snapshots by version; an arm without moments counts no units.
    """
    newest = configurations[max(configurations)]
    control = next(variant.key for variant in newest.variants if variant.is_control)
    treatments = [variant.key for variant in newest.variants if not variant.is_control]
    moments = {(m.metric_key, m.metric_version, m.variant_key): m.moments for m in metrics}
    ratio = experiment_sample_ratio(configurations, units)
    return [
        _result(newest, metric, control, treatment, moments, ratio)
        for metric in newest.metrics
        for treatment in treatments
    ]


def experiment_sample_ratio(
    configurations: Mapping[int, ExperimentMessage], units: Sequence[ArmUnits]
) -> SampleRatio | Status:
    """Units per arm against the weights of the configuration version they entered under."""
    arms = [variant.key for variant in configurations[max(configurations)].variants]
    counts = {(unit.version, unit.variant_key): unit.units for unit in units}
    versions = sorted({unit.version for unit in units} & set(configurations)) or [max(configurations)]
    observed = [[counts.get((version, arm), 0) for arm in arms] for version in versions]
    weights = []
    for version in versions:
        by_arm = {variant.key: variant.weight for variant in configurations[version].variants}
        weights.append([float(by_arm.get(arm, 0)) for arm in arms])
    return sample_ratio_over_versions(observed, weights)


def _result(
    experiment: ExperimentMessage,
    metric: MetricMessage,
    control: str,
    treatment: str,
    moments: Mapping[tuple[str, int, str], Moments],
    ratio: SampleRatio | Status,
) -> ResultRow:
    nobody = Moments(0, 0.0, 0.0)
    comparison = analyze_metric(
        MetricKind(metric.type),
        moments.get((metric.key, metric.version, control), nobody),
        moments.get((metric.key, metric.version, treatment), nobody),
        ALPHA,
    )
    estimate = comparison.absolute if isinstance(comparison.absolute, Estimate) else None
    lift = comparison.relative if isinstance(comparison.relative, Lift) else None
    return ResultRow(
        experiment_id=experiment.experiment_id,
        experiment_key=experiment.key,
        metric_key=metric.key,
        metric_version=metric.version,
        control_variant=control,
        variant_key=treatment,
        n_control=comparison.n_control,
        n_variant=comparison.n_treatment,
        mean_control=comparison.mean_control,
        mean_variant=comparison.mean_treatment,
        difference=comparison.diff,
        ci_low=estimate.interval.lower if estimate else None,
        ci_high=estimate.interval.upper if estimate else None,
        level=1 - ALPHA,
        relative_lift=lift.value if lift else None,
        relative_ci_low=lift.interval.lower if lift else None,
        relative_ci_high=lift.interval.upper if lift else None,
        p_value=estimate.p_value if estimate else None,
        log10_p=estimate.log10_p if estimate else None,
        status=_status(comparison),
        status_reason=comparison.absolute.message if isinstance(comparison.absolute, Status) else "",
        sample_ratio_p=ratio.p_value if isinstance(ratio, SampleRatio) else None,
        sample_ratio_status=_ratio_status(ratio),
    )


def _status(comparison: Comparison) -> str:
    return comparison.absolute.code if isinstance(comparison.absolute, Status) else "ok"


def _ratio_status(ratio: SampleRatio | Status) -> str:
    if isinstance(ratio, Status):
        return ratio.code
    return "healthy" if ratio.healthy else "mismatch"
