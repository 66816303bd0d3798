"""What must hold in any life, whatever is true of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from neonblue.analysis import MomentRow, Question, ask
from neonblue.analysis.restatement import Cause, Published, restatements
from neonblue.contract.metric_types import SUMMED
from neonblue.simulation.lives.life import Life
from neonblue.statistics import (
    Estimate,
    Inference,
    Interval,
    Lift,
    MetricResult,
    NonInferiority,
    Report,
    Verdict,
)
from neonblue.statistics.experiment.standing import GuardrailState
from neonblue.statistics.methods.noninferiority import Direction

_DECIDED = (Verdict.BETTER, Verdict.WORSE)
_FIRM = {
    GuardrailState.HELD: {GuardrailState.HELD, GuardrailState.BREACHED},
    GuardrailState.BREACHED: {GuardrailState.BREACHED},
}
"""What may follow."""


class Held:
    """Watches a life's answers. broken: the first thing that did not hold, None while all does."""

    def __init__(self) -> None:
        self.broken: str | None = None
        self._rejected: dict[tuple[str, str], Verdict] = {}
        self._guarded: dict[tuple[str, str], GuardrailState] = {}
        self._said: dict[tuple[str, str], tuple[float, Interval]] = {}
        self._published: Published | None = None

    def after(self, problem: str | None) -> None:
        """Note a problem."""
        self.broken = self.broken or problem

    def check(self, question: Question, report: Report) -> None:
        """What is rejected, breached or held stays, with its p and interval; no interval contradicts its verdict."""
        kept = question.plan.inference is Inference.GROUP_SEQUENTIAL
        for result in report.results:
            for problem in (self._vanished(result), self._restated(result, kept), contradiction(result)):
                if problem is not None:
                    self.after(f"{result.metric.name} in {result.arm}, {question.closed_to:%d %b}: {problem}")

    def _vanished(self, result: MetricResult) -> str | None:
        place = result.metric.name, result.arm
        before = self._rejected.get(place)
        if before is not None and result.verdict is not before:
            return f"{before} became {result.verdict}"
        if result.verdict in _DECIDED:
            self._rejected[place] = result.verdict
        state, now = self._guarded.get(place), result.guardrail_state
        if state is not None and now not in _FIRM[state]:
            return f"the guardrail was {state} and is {now}"
        if now in _FIRM:
            self._guarded[place] = now
        return None

    def _restated(self, result: MetricResult, kept: bool) -> str | None:
        """Of what was rejected by a look, whatever became of its sums since. kept: whether later looks add nothing."""
        place, test = (result.metric.name, result.arm), result.comparison.absolute
        if not (result.rejected and isinstance(test, Estimate) and result.p_value is not None):
            return None
        now = result.p_value, test.interval
        before = self._said.setdefault(place, now)
        self._said[place] = now
        if kept and now != before:
            return f"p and interval were {before} and are {now}"
        if now[0] > before[0] or (before[1].contains(0.0) < now[1].contains(0.0)):
            return f"p and interval were {before} and are {now}, which says less"
        return None

    def publish(self, life: Life, at: datetime) -> None:
        """What the sums were at the last decision run differs from these by what has happened since, and says so."""
        moments = tuple(life.rows().moments)
        if self._published is not None:
            self.after(unexplained(life, self._published, moments))
        self._published = Published(life.newest, moments, at, "the same")


def unexplained(life: Life, published: Published, moments: Sequence[MomentRow]) -> str | None:
    """Which of the published sums are others now for another cause than is named, or for none."""
    found = {
        (each.metric_key, each.variant_key): each.cause
        for each in restatements(published, life.newest, moments, published.code_version)
    }
    for metric in life.newest.metrics:
        for arm in life.design.arms:
            place = metric.key, arm
            caused = Cause.WINDOW_OPEN
            if arm in life.removed:
                caused = Cause.UNITS_REMOVED
            elif place in life.late:
                caused = Cause.LATE_EVENTS
            changed = caused is not Cause.WINDOW_OPEN and metric.type in SUMMED
            if found.get(place, None if changed else caused) != caused:
                return (
                    f"the sums of {metric.key} in {arm} changed by {caused}, and {found.get(place)} is said"
                )
    return None


def contradiction(result: MetricResult) -> str | None:
    """What of a result speaks against another part of it."""
    test, lift, guard = result.comparison.absolute, result.comparison.relative, result.guardrail
    if isinstance(test, Estimate) and result.p_value is not None:
        interval = test.interval
        if interval.contains(0.0) == (result.verdict in _DECIDED):
            return f"{result.verdict}, and the interval is {interval}"
        rises = interval.lower > 0
        better = rises == (result.metric.direction is Direction.HIGHER_IS_BETTER)
        if result.verdict in _DECIDED and better != (result.verdict is Verdict.BETTER):
            return f"{result.verdict}, and the interval is {interval}"
        if isinstance(lift, Lift) and lift.interval.contains(0.0) != interval.contains(0.0):
            return f"the lift's interval is {lift.interval}, the difference's {interval}"
    if isinstance(guard, NonInferiority) and guard.bound is not None and result.metric.margin is not None:
        loss = -guard.bound if result.metric.direction is Direction.HIGHER_IS_BETTER else guard.bound
        if (loss < result.metric.margin) != guard.non_inferior:
            return f"the margin is {result.metric.margin:g}, the bound {guard.bound:g}, held: {guard.non_inferior}"
    return None


def answers_alike(life: Life, question: Question, report: Report, run_at: timedelta) -> str | None:
    """Ask the life's last question once more, with the same facts in another order; what differs, if anything does."""
    rows = life.rows()
    mixed = list(rows.moments)
    Random(len(mixed)).shuffle(mixed)  # noqa: S311 - an order, no secret
    again = ask(
        dict(reversed(life.versions.items())),
        replace(rows, moments=mixed, units=rows.units[::-1], quantiles=rows.quantiles[::-1]),
        life.midnight.date(),
        question.looks,
        now=life.midnight + run_at,
        taking=True,
    ).answer()
    # By their text: a p-value that there is not is NaN, which equals nothing.
    return None if repr(again) == repr(report) else "the same facts in another order give another answer"
