"""What an experiment is and where it stands, as its newest snapshot says: what stands beside every result. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from neonblue.analysis.instants import Instant
from neonblue.contract.instants import parse_instant
from neonblue.contract.messages import DecisionMessage, ExperimentMessage

_DAY = timedelta(days=1)
_WHOLE = 10_000  # basis points of traffic


@dataclass(frozen=True, slots=True)
class ArmShare:
    """An arm with its share, 0 to 1, of the units that enter now; 0 for one that was dropped."""

    key: str
    name: str
    share: float
    is_control: bool
    is_dropped: bool


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """What people decided: `ship` the variant, `roll_back` or `inconclusive`.

    decided_by, decided_at: null where it was recorded before these were kept.
    """

    outcome: str
    variant_key: str | None
    reason: str
    decided_by: str | None
    decided_at: Instant | None


@dataclass(frozen=True, slots=True)
class About:
    """An experiment at one version of its configuration.

    status: draft, scheduled, running, paused, concluded or archived. source: internal, or external for what was
    collected elsewhere. started_at, concluded_at: null before; scheduled_*: null where nothing is planned. day: the day
    it is in, from 1, or ended on; null before the start. allocation: the share of traffic, 0 to 1.
    recorded: null while nothing was decided.
    """

    status: str
    source: str
    owner: str | None
    name: str | None
    hypothesis: str | None
    started_at: Instant | None
    concluded_at: Instant | None
    scheduled_start_at: Instant | None
    scheduled_stop_at: Instant | None
    day: int | None
    planned_days: int | None
    planned_units: int | None
    allocation: float
    arms: tuple[ArmShare, ...]
    recorded: RecordedDecision | None


def about_of(experiment: ExperimentMessage, now: datetime) -> About:
    """The experiment as of now. The control comes first among the arms."""
    weights = sum(variant.weight for variant in experiment.variants if variant.active) or 1
    arms = tuple(
        ArmShare(
            variant.key,
            variant.name or "",
            variant.weight / weights if variant.active else 0.0,
            variant.is_control,
            not variant.active,
        )
        for variant in sorted(experiment.variants, key=lambda variant: not variant.is_control)
    )
    started, concluded = _instant(experiment.started_at), _instant(experiment.concluded_at)
    return About(
        status=experiment.status,
        source=experiment.source,
        owner=experiment.owner,
        name=experiment.name,
        hypothesis=experiment.hypothesis,
        started_at=started,
        concluded_at=concluded,
        scheduled_start_at=_instant(experiment.scheduled_start_at),
        scheduled_stop_at=_instant(experiment.scheduled_stop_at),
        day=_day(started, concluded or now),
        planned_days=experiment.planned_days,
        planned_units=experiment.planned_units,
        allocation=experiment.allocation / _WHOLE,
        arms=arms,
        recorded=None if experiment.decision is None else _recorded(experiment.decision, concluded),
    )


def _recorded(decision: DecisionMessage, concluded_at: datetime | None) -> RecordedDecision:
    decided_at = _instant(decision.decided_at) or concluded_at
    return RecordedDecision(
        decision.outcome, decision.variant_key, decision.reason, decision.decided_by, decided_at
    )


def _day(started: datetime | None, until: datetime) -> int | None:
    if started is None or until < started:
        return None
    return (until - started) // _DAY + 1


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text).astimezone(UTC)
