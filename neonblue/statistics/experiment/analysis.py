"""Every metric of an experiment in every arm, under the plan and beside what earlier looks have left."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from neonblue.statistics.experiment.adjusting import as_adjusted
from neonblue.statistics.experiment.experiment import Experiment, Inference, Metric, Plan, Role
from neonblue.statistics.experiment.inference import InferenceRule, Sample, rule_for, too_few_outcomes
from neonblue.statistics.experiment.metric_result import Looked, MetricResult, Verdict
from neonblue.statistics.experiment.shares import reached_share
from neonblue.statistics.experiment.standing import (
    NOTHING,
    GuardrailState,
    Standing,
    guardrail_after,
    intersection,
)
from neonblue.statistics.methods.by_kind import KINDS, Pair
from neonblue.statistics.methods.comparison import Comparison
from neonblue.statistics.methods.multiplicity import Family, Procedure, judge, judge_shared
from neonblue.statistics.methods.noninferiority import Direction, Margin, NonInferiority
from neonblue.statistics.methods.stratified import compare_strata, guard_strata
from neonblue.statistics.numerics.tails import deviate
from neonblue.statistics.result import Estimate, Interval, Lift, level_of
from neonblue.statistics.status import Status, StatusCode

Standings = Mapping[tuple[str, str], Standing]
"""What earlier looks left, by metric name and arm."""

_NO_LOOK = Status(StatusCode.NO_LOOK, "The first look is taken when the day is over.")


def analyze_metrics(
    experiment: Experiment,
    plan: Plan,
    standings: Standings | None = None,
    *,
    looking: bool = True,
    only: Collection[str] | None = None,
) -> tuple[MetricResult, ...]:
    """Every metric of every treatment arm, in the experiment's order of metrics, then arms.

    Primary metrics x arms are one family under Holm at `plan.alpha`; secondary ones one under
    Benjamini-Hochberg at `plan.false_discovery_rate`. One alarm of a guardrail suffices to stop an arm, so
    `experiment.alarms` share `plan.alpha`, half of it on the side of harm; to be within a margin is tested at
    `plan.alpha` each, since all of them must be (Schultzberg, Ankargren and Franberg 2024). Each interval is then
    computed at the level that matches the family's verdict. standings: what earlier looks left, which stands. looking:
    whether this is a look of a group-sequential plan; between two looks nothing is tested and no error is spent. only:
    names of guardrails, where the others are not asked for: the error is shared by all of them.
    """
    metrics = [metric for metric in experiment.metrics if only is None or metric.name in only]
    found: dict[tuple[str, str], MetricResult] = {}
    for role in Role:
        cells = [
            _Cell.of(
                experiment, plan, metric, arm, (standings or {}).get((metric.name, arm), NOTHING), looking
            )
            for metric in metrics
            if metric.role is role
            for arm in experiment.treatments
        ]
        family = _judge(role, [cell.p_value for cell in cells], plan, experiment.alarms)
        for index, cell in enumerate(cells):
            found[cell.metric.name, cell.arm] = cell.result(
                family.rejected[index], family.adjusted[index], family.interval_alpha[index]
            )
    order = [(metric.name, arm) for metric in metrics for arm in experiment.treatments]
    return tuple(found[key] for key in order)


@dataclass(frozen=True, slots=True)
class _Cell:
    """One metric of one arm on the way to its result.

    fallback: why the covariate is left out. tested: whether it is tested anew. alarms: that share the error of harm.
    first: the test at `plan.alpha`, whose intervals are not to be read.
    """

    metric: Metric
    arm: str
    plan: Plan
    strata: Sequence[Pair] | Status
    fallback: Status | None
    sample: Sample
    share: float
    rule: InferenceRule
    standing: Standing
    tested: bool
    alarms: int
    first: Comparison

    @classmethod
    def of(
        cls, experiment: Experiment, plan: Plan, metric: Metric, arm: str, standing: Standing, looking: bool
    ) -> _Cell:
        strata, fallback = _strata(experiment, metric, arm), None
        if not isinstance(strata, Status):
            strata, fallback = as_adjusted(strata)
        sample = Sample(0, 0, 0.0) if isinstance(strata, Status) else Sample.of(metric.kind, strata)
        planned, share = plan.planned_units, 0.0
        if planned is not None and not isinstance(strata, Status):
            share = reached_share(experiment, metric.name, arm, planned)
        share = max(share, standing.share)
        rule = rule_for(plan, sample, share, standing.looks)
        tested = True
        if plan.inference is Inference.GROUP_SEQUENTIAL:
            tested = looking and not standing.final and standing.grown(sample.information)
        first = _compare(metric, strata, plan.alpha, limits=False)
        alarms = experiment.alarms
        return cls(metric, arm, plan, strata, fallback, sample, share, rule, standing, tested, alarms, first)

    @property
    def ready(self) -> bool:
        return self.rule.ready(self.first.n_control, self.first.n_treatment, self.sample.outcomes)

    def _ready_for(self, margin: Margin) -> bool:
        """As `ready`; a rate that is worse by an absolute margin has the outcomes of the margin as well."""
        n_c, n_t = self.first.n_control, self.first.n_treatment
        of_margin = 0.0 if margin.relative else min(n_c, n_t) * margin.size
        return self.rule.ready(n_c, n_t, max(self.sample.outcomes, of_margin))

    def _few_outcomes(self) -> Status | None:
        """Why it is not ready though it has units enough: it lacks nothing but outcomes."""
        n_c, n_t = self.first.n_control, self.first.n_treatment
        if not self.rule.ready(n_c, n_t, math.inf):
            return None
        return too_few_outcomes(self.sample, self.rule.outcomes_needed(n_c, n_t), ended=self._last)

    @property
    def _last(self) -> bool:
        """Whether no look at this comparison will follow."""
        return self.plan.ended or self.standing.final or (self.tested and self.share >= 1)

    @property
    def sequence(self) -> bool:
        return self.plan.inference is Inference.CONFIDENCE_SEQUENCE

    @property
    def testing(self) -> bool:
        """Whether the difference is tested anew: what was rejected stays so."""
        return self.tested and (self.sequence or not self.standing.rejected)

    @property
    def p_value(self) -> float | None:
        """What the family judges: of this look, or what stands. 1 while the plan allows no verdict."""
        test, before = self.first.absolute, self.standing.p_value
        if not self.testing or not isinstance(test, Estimate):
            return before
        # Too early to be rejected is too early to leave its share of the error to others.
        now = self.rule.p_value(test, self.sample.units) if self.ready else 1.0
        return min(now, before) if self.sequence and before is not None else now

    def result(self, rejected: bool, adjusted: float | None, level: float | None) -> MetricResult:
        comparison = self._comparison(level)
        shown = self.ready or self.standing.p_value is not None
        test = comparison.absolute
        if self.sequence and rejected and isinstance(test, Estimate) and test.interval.contains(0.0):
            # An earlier look's p, whose interval at this step of the family was not worked out then.
            rejected, adjusted = False, max(adjusted or 0.0, self.standing.adjusted_p or 0.0)
        rejected = self.standing.rejected or (rejected and self.testing and shown)
        guardrail = self._guardrail()
        state = guardrail_after(self.standing.guardrail, self._state(guardrail))
        few = None if shown else self._few_outcomes()
        if few is not None and self.plan.inference is Inference.GROUP_SEQUENTIAL:
            # No look, or the last one, which tests nothing: between looks the same is said.
            comparison = replace(comparison, absolute=few, relative=few)
        verdict = self._verdict(comparison, rejected)
        if few is not None and state is GuardrailState.HELD:
            # The margin's own test has outcomes enough; the difference's interval would contradict it.
            comparison = replace(comparison, absolute=few, relative=few)
        p = self.p_value if shown else None
        kept = not self.testing and self.standing.adjusted_p is not None
        return MetricResult(
            metric=self.metric,
            arm=self.arm,
            comparison=comparison,
            p_value=p,
            adjusted_p=(self.standing.adjusted_p if kept else adjusted) if shown else None,
            verdict=verdict,
            guardrail=guardrail,
            fallback=self.fallback,
            fixed_p=_fixed_p(self.first) if self._last else None,
            guardrail_state=state,
            log10_p=self._log10_p(p),
            rejected=rejected,
            looked=self._looked() if self._counts(guardrail) else None,
            final=self._last,
            waits=few if state in (None, GuardrailState.OPEN) else None,
        )

    def _comparison(self, level: float | None) -> Comparison:
        """The estimate as it is now, with the interval of this look or the one that stands."""
        if not self.testing:
            return self._as_it_stands()
        if level is None:
            return _compare(self.metric, self.strata, self.plan.alpha)
        nominal = self.rule.nominal_alpha(level, self.sample.units)
        now = _compare(self.metric, self.strata, nominal).at_level(level_of(level))
        if not self.sequence:
            return now
        test, lift = now.absolute, now.relative
        if isinstance(test, Estimate):
            stands = intersection(self.standing.interval, test.interval if self.ready else None)
            test = replace(test, interval=stands or test.interval)
        if isinstance(lift, Lift):
            stands = intersection(self.standing.relative, lift.interval if self.ready else None)
            lift = replace(lift, interval=stands or lift.interval)
        return replace(now, absolute=test, relative=lift)

    def _as_it_stands(self) -> Comparison:
        test, lift, interval = self.first.absolute, self.first.relative, self.standing.interval
        if interval is None:
            return replace(
                self.first, absolute=test if isinstance(test, Status) else _NO_LOOK, relative=_NO_LOOK
            )
        if isinstance(test, Estimate):
            test = replace(test, interval=interval)
        if isinstance(lift, Lift):
            relative = self.standing.relative
            message = "The look whose interval stands had no bounded one for the lift; read the absolute difference."
            lift = (
                Status(StatusCode.RATIO_UNBOUNDED, message)
                if relative is None
                else replace(lift, interval=relative)
            )
        return replace(self.first, absolute=test, relative=lift)

    def _verdict(self, comparison: Comparison, rejected: bool) -> Verdict:
        test, stands = comparison.absolute, self.standing.interval
        if isinstance(test, Estimate):
            rises = _rises(test.diff, test.interval if self.plan.inference is not Inference.FIXED else None)
        elif self.standing.rejected and stands is not None:
            # Nothing can be estimated any more, as where units were erased: what was rejected stays so.
            rises = _rises(self.standing.diff or 0.0, stands)
        else:
            return Verdict.UNKNOWN
        if not rejected:
            return Verdict.UNDECIDED
        return (
            Verdict.BETTER
            if rises == (self.metric.direction is Direction.HIGHER_IS_BETTER)
            else Verdict.WORSE
        )

    def _guardrail(self) -> NonInferiority | Status | None:
        if self.metric.role is not Role.GUARDRAIL:
            return None
        margin = _margin(self.metric)
        if margin is None or isinstance(margin, Status):
            return margin
        if isinstance(self.strata, Status):
            return self.strata
        if not (self.tested and self._ready_for(margin)):
            return None
        return guard_strata(self.metric.kind, self.strata, margin, self._one_sided(self.plan.alpha))

    def _state(self, guardrail: NonInferiority | Status | None) -> GuardrailState | None:
        """Of this look alone. Harm is half of the two-sided error that is shared, as without a margin."""
        if not isinstance(guardrail, NonInferiority):
            return None
        if guardrail.inferior_at(self._one_sided(self.plan.alpha / 2 / self.alarms)):
            return GuardrailState.BREACHED
        return GuardrailState.HELD if guardrail.non_inferior else GuardrailState.OPEN

    def _one_sided(self, alpha: float) -> float:
        return self.rule.one_sided_alpha(alpha, max(self.sample.units, 1))

    def _log10_p(self, p: float | None) -> float | None:
        """Of the look's own p where the plan takes it as it is: finite also where p underflows."""
        test = self.first.absolute
        if p is None:
            return None
        if self.testing and isinstance(test, Estimate) and p == test.p_value:
            return test.log10_p
        if p == self.standing.p_value and self.standing.log10_p is not None:
            return self.standing.log10_p
        return math.log10(p) if p > 0 else None

    def _counts(self, guardrail: NonInferiority | Status | None) -> bool:
        """Whether this is a look: what can test nothing for want of outcomes leaves its error to the next one."""
        if not self.tested or isinstance(self.strata, Status):
            return False
        waits = self.plan.inference is Inference.GROUP_SEQUENTIAL and not (self.ready or self._last)
        return not waits or isinstance(guardrail, NonInferiority)

    def _looked(self) -> Looked:
        test = self.first.absolute
        z = math.copysign(deviate(test.log10_p), test.diff) if isinstance(test, Estimate) else None
        return Looked(self.sample.information, self.share, self.rule.spent(self.plan.alpha), z)


def _judge(role: Role, p_values: list[float | None], plan: Plan, alarms: int) -> Family:
    if role is Role.PRIMARY:
        return judge(p_values, Procedure.HOLM, plan.alpha)
    if role is Role.SECONDARY:
        return judge(p_values, Procedure.BENJAMINI_HOCHBERG, plan.false_discovery_rate)
    return judge_shared(p_values, alarms, plan.alpha)


def _strata(experiment: Experiment, metric: Metric, arm: str) -> Sequence[Pair] | Status:
    if metric.unit != experiment.unit:
        message = (
            f"{metric.name} is measured per {metric.unit}, but arms are given by {experiment.unit}: "
            f"sum it per {experiment.unit}, or make it a ratio metric."
        )
        return Status(StatusCode.UNIT_MISMATCH, message)
    return experiment.compared(metric.name, arm)


def _margin(metric: Metric) -> Margin | Status | None:
    """The margin, or why none can be tested: a definition may be older than the rule that refuses it."""
    rate = KINDS[metric.kind].is_share and not metric.margin_relative
    if rate and metric.margin is not None and metric.margin >= 1:
        return Status(
            StatusCode.IMPOSSIBLE_REQUEST, "The margin can't be tested: no rate differs by 1 or more."
        )
    try:
        return metric.acceptable_loss
    except ValueError as error:
        return Status(StatusCode.IMPOSSIBLE_REQUEST, f"The margin can't be tested: {error}.")


def _compare(
    metric: Metric, strata: Sequence[Pair] | Status, alpha: float, *, limits: bool = True
) -> Comparison:
    if isinstance(strata, Status):
        return Comparison(0, 0, None, None, None, strata, strata)
    return compare_strata(metric.kind, strata, alpha, limits=limits)


def _rises(diff: float, interval: Interval | None) -> bool:
    """Which way it was rejected: later data may have moved the estimate to the other side."""
    if interval is not None and not interval.contains(0.0):
        return interval.lower > 0
    return diff > 0


def _fixed_p(comparison: Comparison) -> float | None:
    return comparison.absolute.p_value if isinstance(comparison.absolute, Estimate) else None
