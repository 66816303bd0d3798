"""Each metric's difference day by day, with intervals that hold at every day at once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from neonblue.analysis import ExperimentRows, Question, experiment_of, finished_by, too_small
from neonblue.analysis.answer import finite
from neonblue.analysis.caps import told
from neonblue.contract.messages import ExperimentMessage
from neonblue.statistics import Estimate, Role, Status, compare_strata
from neonblue.statistics.experiment.adjusting import as_adjusted
from neonblue.statistics.experiment.inference import Sample, too_few_outcomes
from neonblue.statistics.methods.by_kind import KINDS
from neonblue.statistics.sequential.confidence_sequence import SequentialEstimate, confidence_sequence


@dataclass(frozen=True, slots=True)
class DayEffect:
    """The difference as all units that entered up to and on `day` and have finished give it, as known now.

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
    configurations: Mapping[int, ExperimentMessage], rows: ExperimentRows, question: Question
) -> tuple[DayEffect, ...]:
    """Every metric but quantiles (they do not add up over days), for every treatment and day that brought units.

    Units are compared as in the results: within the versions in which both arms were live, by closed windows. The level
    of each sequence leaves the primary metrics' error rate to all of them together (Bonferroni), and the guardrails' to
    all of their alarms.
    """
    primary = sum(metric.role is Role.PRIMARY for metric in question.experiment.metrics)
    family = max(primary * len(question.experiment.treatments), 1)
    sharing = {Role.PRIMARY: family, Role.GUARDRAIL: max(question.experiment.alarms, 1)}
    finished = finished_by(question.closed_to)
    judged = [row for row in rows.moments if finished(row)]
    effects = []
    for day in sorted({row.exposure_date for row in judged}):
        seen = replace(rows, moments=[row for row in judged if row.exposure_date <= day], quantiles=[])
        experiment = experiment_of(configurations, seen, lambda _: True)
        for metric in experiment.metrics:
            if not KINDS[metric.kind].adds_up:
                continue
            alpha = question.plan.alpha / sharing.get(metric.role, 1)
            for arm in experiment.treatments:
                strata = experiment.compared(metric.name, arm)
                if isinstance(strata, Status):
                    nothing = Sample(0, 0, 0.0)
                    effects.append(
                        _effect(metric.name, arm, day, nothing, strata, alpha, question.plan.tuning)
                    )
                    continue
                shown, _ = as_adjusted(strata)
                found = told(question.caps, metric.name, compare_strata(metric.kind, shown, alpha))
                test, sample = found.absolute, Sample.of(metric.kind, shown)
                units = sample.n_control, sample.n_treatment
                few = too_small(question.plan, len(experiment.arms), units) or too_few_outcomes(sample)
                test = few or test
                effects.append(_effect(metric.name, arm, day, sample, test, alpha, question.plan.tuning))
    return tuple(effects)


def _effect(
    metric: str, arm: str, day: date, sample: Sample, test: Estimate | Status, alpha: float, tuning: int
) -> DayEffect:
    units = sample.n_control + sample.n_treatment
    found: SequentialEstimate | Status = (
        test if isinstance(test, Status) else _look(test, sample.units, alpha, tuning)
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


def _look(test: Estimate, units: float, alpha: float, tuning: int) -> SequentialEstimate | Status:
    return confidence_sequence(test.diff, test.se, units, alpha=alpha, tuning=tuning)


def of_metric(effects: Sequence[DayEffect], metric: str, arm: str) -> tuple[DayEffect, ...]:
    """One metric of one arm, days ascending."""
    return tuple(effect for effect in effects if (effect.metric_key, effect.variant_key) == (metric, arm))
