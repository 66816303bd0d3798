"""What a page says of results, whatever they are: their numbers, their decision, why there are none. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from api.experiments.answers import ExperimentOut
from api.results.glances import Glance, Missing
from neonblue.analysis.about import About, ArmShare, RecordedDecision
from neonblue.analysis.answer import Answer, ResultItem
from neonblue.analysis.why import State
from neonblue.contract.life_cycle import STARTED
from neonblue.findings.effect import Effect
from neonblue.findings.effects import effect_of_item
from neonblue.findings.said import Said, said_in
from neonblue.statistics import Role

_DAY = timedelta(days=1)
_WHOLE = 10_000
_ITEM_FIELDS = tuple(field.name for field in fields(ResultItem))
_STARTING = (State.NOT_STARTED.value, State.NOT_INGESTED.value)


@dataclass(frozen=True, slots=True)
class AsOf:
    """When the oldest of what is shown was computed. is_late: newer ones were asked for, and did not come."""

    at: datetime
    is_late: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """Results as a page has them. answer: None where there is none, for the reason that `glance` has.

    said: what the data say, None where they could not be asked. effects: one for each metric and treatment.
    """

    glance: Glance
    answer: Answer | None
    said: Said | None
    effects: tuple[Effect, ...] = ()

    @property
    def is_invalid(self) -> bool:
        """Whether the numbers are not to be used."""
        decision = self.answer.decision if self.answer else None
        return decision is not None and bool(decision.broken)


def seen_of(experiment: ExperimentOut, glance: Glance) -> Seen:
    """The results of an experiment as it stands now, of which the warehouse may know an older version."""
    if experiment.started_at is None and experiment.source == "internal":
        return Seen(glance, None, None)
    answer = glance.look.answer if glance.look else None
    if answer is not None and experiment.status in STARTED and answer.status in _STARTING:
        reason = "It has just started: the warehouse hears of it within 20 seconds."
        return Seen(glance, answer, Said(said_in(answer).outcome, reason))
    if answer is None:
        return Seen(glance, None, None)
    return Seen(
        glance, answer, said_in(answer), tuple(effect_of_item(_as_json(item)) for item in answer.items)
    )


def _as_json(item: ResultItem) -> dict[str, Any]:
    """The item's fields by name: all of them are plain values."""
    return {name: getattr(item, name) for name in _ITEM_FIELDS}


WHY_MISSING = {
    Missing.NOTHING: "There are no results.",
    Missing.NOT_ASKED: "The results are being computed: they are here when the page is loaded again.",
    Missing.AWAY: "The results can’t be read now: ClickHouse does not answer.",
    Missing.FAILED: "The results could not be computed: the API’s log says why.",
}
"""In words, in the place of the numbers."""


def headline_of(seen: Seen) -> Effect | None:
    """The primary metric of the arm that decides: the one the decision names, else the one with the largest gain."""
    primary = [effect for effect in seen.effects if effect.role is Role.PRIMARY]
    if not primary:
        return None
    first = [effect for effect in primary if effect.metric == primary[0].metric]
    arm = seen.said.arm if seen.said else None
    named = [effect for effect in first if effect.arm == arm]
    return max(named or first, key=_gain)


def _gain(effect: Effect) -> float:
    lift = effect.lift or 0.0
    return -lift if effect.lower_is_better else lift


def about_of(experiment: ExperimentOut, now: datetime) -> About:
    """The experiment as it stands now, as results speak of it."""
    weights = sum(arm.weight for arm in experiment.variants if arm.active) or 1
    arms = tuple(
        ArmShare(
            arm.key,
            arm.name or "",
            arm.weight / weights if arm.active else 0.0,
            arm.is_control,
            not arm.active,
        )
        for arm in sorted(experiment.variants, key=lambda arm: not arm.is_control)
    )
    decision = experiment.decision
    return About(
        status=experiment.status,
        source=experiment.source,
        owner=experiment.owner,
        name=experiment.name,
        hypothesis=experiment.hypothesis,
        started_at=experiment.started_at,
        concluded_at=experiment.concluded_at,
        scheduled_start_at=experiment.scheduled_start_at,
        scheduled_stop_at=experiment.scheduled_stop_at,
        day=_day(experiment.started_at, experiment.concluded_at or now),
        planned_days=experiment.planned_days,
        planned_units=experiment.planned_units,
        allocation=experiment.allocation / _WHOLE,
        arms=arms,
        recorded=None
        if decision is None
        else RecordedDecision(
            decision.outcome,
            decision.variant_key,
            decision.reason,
            decision.decided_by,
            decision.decided_at or experiment.concluded_at,
        ),
    )


def _day(started: datetime | None, until: datetime) -> int | None:
    if started is None or until < started:
        return None
    return (until - started) // _DAY + 1
