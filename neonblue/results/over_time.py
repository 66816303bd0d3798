"""Each metric's difference day by day, with intervals that hold at every day at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from neonblue.analysis import ExperimentRows, Question, ask
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.answer import finite
from neonblue.statistics import Estimate, MetricKind, Role, Status, analyze_metric
from neonblue.statistics.sequential.confidence_sequence import SequentialEstimate, confidence_sequence


@dataclass(frozen=True, slots=True)
class DayEffect:
    """The difference as all units that entered up to and on `day` give it, as known now.

    lower, upper: a confidence sequence's interval at `level`. status: ok, or why there is none.
    """

    metric_key: str
    variant_key: str
    day: date
    units: int
    difference: float | None
    lower: float | None
    upper: float | None
    level: float
    p_value: float | None
    status: str
    status_reason: str


def day_effects(
    configuration: ExperimentMessage, rows: ExperimentRows, question: Question
) -> tuple[DayEffect, ...]:
    """Every metric but quantiles (they do not add up over days), for every treatment and day that brought units.

    The level of each sequence leaves the primary metrics' error rate to all of them together (Bonferroni).
    """
    primary = sum(metric.role is Role.PRIMARY for metric in question.experiment.metrics)
    family = max(primary * len(question.experiment.treatments), 1)
    days = sorted({row.exposure_date for row in rows.moments})
    effects = []
    for day in days:
        seen = replace(rows, moments=[row for row in rows.moments if row.exposure_date <= day], quantiles=[])
        experiment = ask({configuration.version: configuration}, seen, date.max).experiment
        for metric in experiment.metrics:
            if metric.kind is MetricKind.QUANTILE:
                continue
            alpha = question.plan.alpha / (family if metric.role is Role.PRIMARY else 1)
            for arm in experiment.treatments:
                control = experiment.moments[metric.name, experiment.control]
                comparison = analyze_metric(metric.kind, control, experiment.moments[metric.name, arm], alpha)
                units = comparison.n_control + comparison.n_treatment
                test = comparison.absolute
                effects.append(_effect(metric.name, arm, day, units, test, alpha, question.plan.tuning))
    return tuple(effects)


def _effect(
    metric: str, arm: str, day: date, units: int, test: Estimate | Status, alpha: float, tuning: int
) -> DayEffect:
    found: SequentialEstimate | Status = (
        test if isinstance(test, Status) else _look(test, units, alpha, tuning)
    )
    if isinstance(found, Status):
        return DayEffect(
            metric, arm, day, units, None, None, None, 1 - alpha, None, found.code.value, found.message
        )
    return DayEffect(
        metric,
        arm,
        day,
        units,
        found.diff,
        finite(found.interval.lower),
        finite(found.interval.upper),
        1 - alpha,
        found.p_value,
        "ok",
        "",
    )


def _look(test: Estimate, units: int, alpha: float, tuning: int) -> SequentialEstimate | Status:
    return confidence_sequence(test.diff, test.se, units, alpha=alpha, tuning=tuning)


def of_metric(effects: Sequence[DayEffect], metric: str, arm: str) -> tuple[DayEffect, ...]:
    """One metric of one arm, days ascending."""
    return tuple(effect for effect in effects if (effect.metric_key, effect.variant_key) == (metric, arm))
