"""From results to a decision in words: ship, roll back, keep running, inconclusive, or invalid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from neonblue.statistics.experiment import wording
from neonblue.statistics.experiment.experiment import Experiment, Inference, Plan, Role
from neonblue.statistics.experiment.health import HealthCheck
from neonblue.statistics.experiment.metric_result import MetricResult, Verdict
from neonblue.statistics.experiment.standing import GuardrailState
from neonblue.statistics.result import Estimate, Lift

_LONGEST_WAIT = 365.0


class Action(StrEnum):
    """What to do with the experiment."""

    SHIP = "ship"
    ROLL_BACK = "roll_back"
    KEEP_RUNNING = "keep_running"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision and why.

    arm: the arm to ship or to roll back. broken: names of the failed checks. days_left: the estimated time
    until the experiment can decide, None where it has ended or can't be told. sentence: all of it in words.
    """

    action: Action
    sentence: str
    arm: str | None = None
    broken: tuple[str, ...] = ()
    days_left: float | None = None


def decide(
    experiment: Experiment, plan: Plan, health: tuple[HealthCheck, ...], results: tuple[MetricResult, ...]
) -> Decision:
    """Decide from roles, margins, health and the plan, in this order.

    INVALID when a blocking check failed. ROLL BACK when every treatment arm does harm: a primary or an
    unmargined guardrail metric significantly worse, or a guardrail proven to be worse than its margin. SHIP
    the arm without harm that has a significantly better primary metric, no primary worse or without units, and every
    guardrail held; of several the one with the largest gain in the first primary metric that any of them betters.
    Otherwise KEEP RUNNING until the planned end,
    and INCONCLUSIVE after it, and where every treatment was dropped. Arms that were dropped are neither shipped nor
    waited for.
    """
    broken = [check for check in health if check.blocking and not check.passed]
    if broken:
        names = tuple(check.name for check in broken)
        return Decision(Action.INVALID, f"Do not use these results. {broken[0].message}", broken=names)
    live = experiment.live_treatments
    results = tuple(result for result in results if result.arm in live)
    harmed = {arm: _harm(results, arm) for arm in live}
    if harmed and all(harmed.values()):
        arm = live[0]
        sentence = f"Roll back {arm}: {_gains(results, arm)}{_worst(harmed, arm)}."
        return Decision(Action.ROLL_BACK, sentence, arm=arm)
    winners = [arm for arm in live if not harmed[arm] and _wins(results, arm)]
    if winners:
        best = _best(results, winners)
        return Decision(Action.SHIP, f"Ship {best}: {_gain(results, best)}.", arm=best)
    warning = "".join(f" Stop {arm}: {_worst(harmed, arm)}." for arm in harmed if harmed[arm])
    if experiment.treatments and not live:
        return Decision(Action.INCONCLUSIVE, "No decision: every treatment was dropped.")
    if not _complete(experiment, plan, results):
        return _keep_running(experiment, plan, results, warning)
    return Decision(Action.INCONCLUSIVE, f"No decision: {_undecided(results)}.{warning}")


def _complete(experiment: Experiment, plan: Plan, results: tuple[MetricResult, ...]) -> bool:
    """Whether the planned end is reached.

    A group-sequential plan is at its end when every primary test, or without one every test, has had its last look:
    units that are not looked at yet end nothing.
    """
    primary = [result for result in results if result.metric.role is Role.PRIMARY]
    if plan.inference is Inference.GROUP_SEQUENTIAL and results:
        return all(result.final or result.rejected for result in primary or results)
    return plan.complete(experiment.units)


def _of(results: tuple[MetricResult, ...], arm: str, *roles: Role) -> list[MetricResult]:
    return [result for result in results if result.arm == arm and result.metric.role in roles]


def _harm(results: tuple[MetricResult, ...], arm: str) -> MetricResult | None:
    """The first result that speaks against the arm."""
    judged = _of(results, arm, Role.PRIMARY, Role.GUARDRAIL)
    return next((result for result in judged if result.speaks_against), None)


def _wins(results: tuple[MetricResult, ...], arm: str) -> bool:
    primary = _of(results, arm, Role.PRIMARY)
    verdicts = {result.verdict for result in primary}
    measured = all(result.comparison.n_control and result.comparison.n_treatment for result in primary)
    held = all(_holds(result) for result in _of(results, arm, Role.GUARDRAIL))
    return Verdict.BETTER in verdicts and Verdict.WORSE not in verdicts and measured and held


def _holds(result: MetricResult) -> bool:
    """Whether a guardrail speaks for the arm: its margin is proven, or, without one, it was judged without harm."""
    if result.metric.margin is None:
        return result.waits is None and result.verdict in (Verdict.BETTER, Verdict.UNDECIDED)
    return result.guardrail_state is GuardrailState.HELD


def _best(results: tuple[MetricResult, ...], winners: list[str]) -> str:
    """The winner with the largest gain in the first primary metric that any of them betters."""
    better = [r for arm in winners for r in _of(results, arm, Role.PRIMARY) if r.verdict is Verdict.BETTER]
    first = next(r.metric.name for r in results if r in better)
    compared = [r for r in better if r.metric.name == first]
    lifts = {r.arm: r.comparison.relative for r in compared}
    gains = {arm: abs(lift.value) for arm, lift in lifts.items() if isinstance(lift, Lift)}
    if len(gains) < len(compared):
        gains = {r.arm: abs(r.comparison.diff or 0.0) for r in compared}
    return max(gains, key=lambda arm: gains[arm])


def _gains(results: tuple[MetricResult, ...], arm: str) -> str:
    """What speaks for an arm that does harm: "conversion +24.5 % (…), but "; empty where nothing does."""
    better = [result for result in results if result.arm == arm and result.verdict is Verdict.BETTER]
    return "; ".join(wording.change(result) for result in better) + ", but " if better else ""


def _worst(harmed: dict[str, MetricResult | None], arm: str) -> str:
    result = harmed[arm]
    return wording.change(result) if result else ""


def _gain(results: tuple[MetricResult, ...], arm: str) -> str:
    better = [r for r in _of(results, arm, Role.PRIMARY) if r.verdict is Verdict.BETTER]
    guarded = len(_of(results, arm, Role.GUARDRAIL))
    tail = f"; {guarded} guardrail{'s' * (guarded != 1)} held" if guarded else ""
    return "; ".join(wording.change(result) for result in better) + tail


def _undecided(results: tuple[MetricResult, ...]) -> str:
    primary = [result for result in results if result.metric.role is Role.PRIMARY]
    failed = [result for result in results if result.metric.role is Role.GUARDRAIL and not _holds(result)]
    shown = primary + failed
    return "; ".join(wording.change(result) for result in shown) or "there is no primary metric"


def _keep_running(
    experiment: Experiment, plan: Plan, results: tuple[MetricResult, ...], warning: str
) -> Decision:
    days = _days_left(experiment, plan, results)
    when = f" about {days:.0f} more days" if days is not None else ""
    if plan.planned_units is not None:
        progress = f"{experiment.units:,} of {plan.planned_units:,} planned units"
    else:
        progress = f"{experiment.units:,} units so far, no verdict yet"
    return Decision(Action.KEEP_RUNNING, f"Keep running{when}: {progress}.{warning}", days_left=days)


def _days_left(experiment: Experiment, plan: Plan, results: tuple[MetricResult, ...]) -> float | None:
    """To the planned size, or without one to where the clearest primary effect would be decided if it stays."""
    if not plan.units_per_day or plan.units_per_day <= 0:
        return None
    if plan.planned_units is not None:
        return (plan.planned_units - experiment.units) / plan.units_per_day
    if plan.inference is not Inference.CONFIDENCE_SEQUENCE:
        return None
    growth = [_growth(result) for result in results if result.metric.role is Role.PRIMARY]
    days = min(growth, default=math.inf) * experiment.units / plan.units_per_day
    return days if days <= _LONGEST_WAIT else None


def _growth(result: MetricResult) -> float:
    """By which share the units must grow for the interval, shrinking with their root, to leave 0 out."""
    test = result.comparison.absolute
    if not isinstance(test, Estimate) or test.diff == 0:
        return math.inf
    half = (test.interval.upper - test.interval.lower) / 2
    return max((half / test.diff) ** 2 - 1, 0.0)
