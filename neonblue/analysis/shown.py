"""What of an answer is shown: nothing that reads like a result before there are units enough for one. Pure.

What is kept of a look, and what is decided, is said by the answer itself; here only estimates and words change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from neonblue.analysis.question import Question
from neonblue.analysis.windows import NOBODY
from neonblue.contract.messages import ExperimentMessage
from neonblue.statistics import (
    Action,
    Decision,
    Inference,
    MetricResult,
    Plan,
    Report,
    Status,
    StatusCode,
    Verdict,
)
from neonblue.statistics.experiment.decision import decide
from neonblue.statistics.experiment.inference import SMALLEST_ARM
from neonblue.statistics.experiment.standing import GuardrailState

_DAY_SECONDS = 86_400
_FEW_UNITS = frozenset(
    {
        StatusCode.NO_USERS,
        StatusCode.NOT_ENOUGH_UNITS,
        StatusCode.ZERO_VARIANCE,
        StatusCode.ZERO_DENOMINATOR,
        StatusCode.ZERO_BASELINE,
        StatusCode.MISSING_ARM,
        StatusCode.TIED_QUANTILE,
        StatusCode.NO_LOOK,
    }
)
_NOBODY_COUNTED = "No decision: no unit is in the numbers."


def shown(question: Question, report: Report) -> Report:
    """The answer as people read it: comparisons of too few units without their estimate, the decision with the day.

    What the experiment leads to stays: a rejection or a breach is shown however few its units are.
    """
    plan = question.plan
    hidden = tuple(_hidden(question, result) for result in report.results)
    decision = report.decision
    if decision.action is Action.INCONCLUSIVE and not question.pending:
        # The same decision: verdicts and margins are as they were, the words are those of what is shown.
        decision = decide(question.experiment, plan, report.health, hidden)
    if not question.experiment.units and decision.action is Action.INCONCLUSIVE:
        decision = Decision(Action.INCONCLUSIVE, _NOBODY_COUNTED)
    results = tuple(
        replace(result, verdict=Verdict.UNKNOWN) if is_too_early(result) else result for result in hidden
    )
    return replace(report, results=results, decision=_with_day(question, decision))


def smallest_arm(plan: Plan, arms: int) -> int:
    """Units that each of so many arms needs before it is shown: fewer where fewer are planned."""
    if plan.planned_units is None or plan.inference is Inference.CONFIDENCE_SEQUENCE:
        return SMALLEST_ARM
    return min(SMALLEST_ARM, max(plan.planned_units // arms, 1))


def too_small(plan: Plan, arms: int, units: tuple[int, int], waiting: int = 0) -> Status | None:
    """Why two arms are not compared on a page: one has fewer units than a verdict at any time needs.

    None where they are: there are enough, or one test of what is there decides, however little that is. arms: of the
    experiment; units: of control and the other; waiting: units of both whose window has not ended.
    """
    smallest = smallest_arm(plan, arms)
    if min(units) >= smallest or (plan.inference is Inference.FIXED and plan.ended):
        return None
    counted = sum(min(count, smallest) for count in units)
    finished = " have finished their window" if waiting else ""
    lopsided = f" ({units[0]:,} and {units[1]:,} now)" if max(units) > smallest else ""
    message = (
        f"{'Too few units' if plan.ended else 'Too early'}: {counted:,} of at least {2 * smallest:,} units{finished}, "
        f"{smallest:,} in each arm{lopsided}."
    )
    return Status(StatusCode.TOO_EARLY, message)


def too_early(result: MetricResult, plan: Plan, arms: int = 2, waiting: int = 0) -> Status | None:
    """Why a comparison is not shown yet, as `too_small` or for few outcomes; None where a look found something."""
    found = result.rejected or result.guardrail_state in (GuardrailState.BREACHED, GuardrailState.HELD)
    judged = result.p_value is not None and plan.inference is not Inference.GROUP_SEQUENTIAL
    if found or judged:
        return None
    units = result.comparison.n_control, result.comparison.n_treatment
    return too_small(plan, arms, units, waiting) or result.waits


def is_too_early(result: MetricResult) -> bool:
    """Whether the result is shown without its estimate, since it has too few units."""
    status = result.comparison.absolute
    return isinstance(status, Status) and status.code is StatusCode.TOO_EARLY


@dataclass(frozen=True, slots=True)
class Course:
    """How far a running experiment is. day: from 1 on, by 24 hours since its start; days_left: of the planned ones."""

    day: int
    planned_days: int | None
    days_left: float | None

    @property
    def words(self) -> str:
        """Such as "Day 1 of 14."; empty where no days were planned."""
        if self.planned_days is None:
            return ""
        if self.day > self.planned_days:
            return f"Day {self.day:,}, {self.planned_days:,} were planned."
        return f"Day {self.day:,} of {self.planned_days:,}."


def course_of(configuration: ExperimentMessage, now: datetime) -> Course | None:
    """The day it is at `now`, or was at the conclusion; None of what was not started here."""
    if configuration.source == "external" or configuration.started_at is None:
        return None
    started = datetime.fromisoformat(configuration.started_at)
    if configuration.concluded_at is not None:
        now = min(now, datetime.fromisoformat(configuration.concluded_at))
    elapsed = max((now - started).total_seconds() / _DAY_SECONDS, 0.0)
    planned = configuration.planned_days
    left = None if planned is None else round(max(planned - elapsed, 0.0), 1)
    return Course(int(elapsed) + 1, planned, left)


def _hidden(question: Question, result: MetricResult) -> MetricResult:
    experiment, absolute = question.experiment, result.comparison.absolute
    cells = [(result.metric.name, arm) for arm in (experiment.control, result.arm)]
    waiting = sum(question.unfinished.get(cell, NOBODY).units for cell in cells)
    reason = too_early(result, question.plan, len(experiment.arms), waiting)
    if reason is None:
        return result
    if question.waits:  # for windows, whatever the number of units
        reason = replace(reason, message=question.waiting)
    dropped = result.arm in experiment.dropped
    if isinstance(absolute, Status) and (absolute.code not in _FEW_UNITS or dropped):
        # The reason is another one; beside it a difference of so few units would still read like a result.
        return replace(result, comparison=replace(result.comparison, diff=None))
    if isinstance(absolute, Status) and absolute.code is StatusCode.NO_LOOK:
        reason = replace(reason, message=f"{reason.message} {absolute.message}")
    comparison = replace(result.comparison, diff=None, absolute=reason, relative=reason)
    return replace(result, comparison=comparison, p_value=None, adjusted_p=None, log10_p=None, fixed_p=None)


def _with_day(question: Question, decision: Decision) -> Decision:
    course = course_of(question.configuration, question.now or question.closed_to)
    if decision.action is not Action.KEEP_RUNNING or course is None or course.planned_days is None:
        return decision
    left = course.days_left if decision.days_left is None else decision.days_left
    return replace(decision, sentence=f"{decision.sentence} {course.words}", days_left=left)
