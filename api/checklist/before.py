"""Items of the checklist of an experiment that has not started, but for those that can block (`readiness`). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.experiments.readiness import ChecklistItem
from neonblue.contract.messages import MetricMessage
from neonblue.results.traffic import ARRIVED_DAYS, SEEN_DAYS, Arrived, Seen, Source

SECONDS = 2.0
"""So long is waited for ClickHouse."""
ASKED_DAYS = 7
"""So far back is looked for calls that ask for the key."""
_DAY = timedelta(days=1)
_NAMED = 20
_AWAY = f"ClickHouse did not answer within {SECONDS:.0f} seconds"
_ASK_AGAIN = "Ask again; `neonblue status` says whether ClickHouse runs"


@dataclass(frozen=True, slots=True)
class Size:
    """What is planned, and how much of the units seen can enter. starts_at: an aware time.

    entering: the share of those that targeting means, 0 to 1; meant: the share that it means; None: it is not known.
    """

    planned_units: int | None
    planned_days: int | None
    starts_at: datetime
    stops_at: datetime | None
    entering: float
    meant: float | None

    @property
    def share(self) -> float:
        """Of all units seen; as if all were meant where that is not known."""
        return self.entering * (1.0 if self.meant is None else self.meant)


@dataclass(frozen=True, slots=True)
class Beside:
    """An experiment that runs, or what was decided of one, for units of the same type outside of its layer.

    release: whether it is what was decided. same_salt: whether it divides the units as this one does.
    """

    key: str
    release: bool
    same_salt: bool


def not_known(
    code: str, what: str, cause: str | None = _AWAY, next_step: str | None = _ASK_AGAIN
) -> ChecklistItem:
    """Nothing was found, and nothing is claimed. what: that is not known, behind "whether"."""
    return ChecklistItem.warning(
        code,
        f"It is not known whether {what}",
        {"known": False},
        cause=cause,
        next_step=next_step,
    )


def asked_item(count: int, last_at: datetime | None) -> ChecklistItem:
    """Whether applications ask for the key. count, last_at: how often in the last days, and when last."""
    evidence = {"evaluations": count, "last_asked_at": None if last_at is None else last_at.isoformat()}
    if count:
        times = "once" if count == 1 else f"{count:,} times"
        return ChecklistItem.ok(
            "asked_for", f"The key was asked for {times} in the last {ASKED_DAYS} days", evidence
        )
    return ChecklistItem.warning(
        "asked_for",
        f"Nobody asked for the key in the last {ASKED_DAYS} days",
        evidence,
        cause="No call named it, and no exposure came: the code that uses it may not be out, or names another key",
        next_step="Ship the code first: a draft's key gives everybody the control",
    )


def metrics_item(metrics: Sequence[MetricMessage]) -> ChecklistItem:
    """Whether there is something to decide by: metrics are fixed at the start."""
    count = {
        role: sum(metric.role == role for metric in metrics) for role in ("primary", "secondary", "guardrail")
    }
    if count["primary"]:
        return ChecklistItem.ok(
            "metrics",
            f"{len(metrics)} metric{'s' * (len(metrics) != 1)}, {count['primary']} of them primary",
            dict(count),
        )
    return ChecklistItem.warning(
        "metrics",
        "There is no primary metric" if metrics else "There is no metric",
        dict(count),
        cause="The results can't say which arm is better, and no metric can be added once it has started",
        next_step="Add a primary metric, unless the experiment is for a careful rollout alone",
    )


def guardrail_item(metrics: Sequence[MetricMessage]) -> ChecklistItem:
    """Whether something is watched that may not get worse."""
    keys = [metric.key for metric in metrics if metric.role == "guardrail"]
    if keys:
        return ChecklistItem.ok(
            "guardrail", f"{', '.join(keys[:_NAMED])} may not get worse", {"guardrails": keys}
        )
    return ChecklistItem.warning(
        "guardrail",
        "No guardrail is set",
        {"guardrails": []},
        cause="Nobody is told where the experiment does harm beside what it is for",
        next_step="Add a metric with the role guardrail, such as errors or revenue",
    )


def sources_of(metric: MetricMessage) -> list[Source]:
    """The events that a metric counts, and those that it divides by."""
    found = [_source(metric.event_type, metric.property_filter)]
    if metric.denominator is not None:
        found.append(_source(metric.denominator.event_type, metric.denominator.property_filter))
    return found


def events_item(
    metrics: Sequence[MetricMessage], unit_type: str, arrived: Mapping[Source, Arrived] | None
) -> ChecklistItem | None:
    """Whether each metric's events came lately. arrived: None where it is not known. None without metrics."""
    if not metrics:
        return None
    if arrived is None:
        return not_known("metric_events", f"each metric received events in the last {ARRIVED_DAYS} days")
    counts = {
        metric.key: min(arrived.get(source, Arrived()).events for source in sources_of(metric))
        for metric in metrics
    }
    silent = [key for key, events in counts.items() if not events]
    if not silent:
        return ChecklistItem.ok(
            "metric_events",
            f"Each metric received events in the last {ARRIVED_DAYS} days",
            {"events": counts},
        )
    return ChecklistItem.warning(
        "metric_events",
        f"{', '.join(silent[:_NAMED])} received no event in the last {ARRIVED_DAYS} days",
        {"events": counts},
        cause=f"No event of the type and properties that the metric counts came from a unit of the type {unit_type}",
        next_step="Send such an event, or look for a slip in event_type, property_filter or unit_type",
    )


def size_item(size: Size, seen: Seen | None) -> ChecklistItem:
    """By when the planned size is reached, if the units to come are as those that came."""
    if seen is None:
        return not_known("planned_size", "the planned size is reached in time")
    evidence: dict[str, object] = {
        "units_seen": seen.units,
        "days_seen": seen.days,
        "new_units_a_day": round(seen.new_units_a_day, 1),
        "share": size.share,
        "planned_units": size.planned_units,
        "planned_days": size.planned_days,
    }
    if size.meant is None:
        evidence["targeting"] = "not known: as if it meant every unit"
    if not seen.units:
        return ChecklistItem.warning(
            "planned_size",
            f"No unit of this type was seen in the last {SEEN_DAYS} days",
            evidence,
            cause="So it can't be said how many will enter",
            next_step="Look whether events of such units arrive, and whether the unit_type is right",
        )
    if size.planned_units is None:
        return ChecklistItem.ok(
            "planned_size",
            f"No size is planned; up to {seen.units * size.share:,.0f} units can enter in {_days(seen.days)}",
            evidence,
        )
    days = seen.days_until(size.planned_units / size.share) if size.share else None
    if days is None:
        return ChecklistItem.warning(
            "planned_size",
            f"{size.planned_units:,} units will not be reached",
            evidence,
            cause=f"{seen.units:,} units were seen in {_days(seen.days)}, {size.share:.2%} of them can enter, and "
            "hardly any new ones come",
            next_step="Raise the allocation, widen the targeting, or plan fewer units",
        )
    return _reached(size, days, evidence)


def beside_item(others: Sequence[Beside]) -> ChecklistItem:
    """What else its units are in."""
    experiments = sorted(other.key for other in others if not other.release)
    releases = sorted(other.key for other in others if other.release)
    evidence = {
        "experiments": experiments[:_NAMED],
        "releases": releases[:_NAMED],
        "count": len(experiments) + len(releases),
    }
    alike = sorted(other.key for other in others if other.same_salt)
    if alike:
        return ChecklistItem.warning(
            "shared_units",
            f"{', '.join(alike[:_NAMED])} divides the units in the same way",
            evidence | {"same_salt": alike[:_NAMED]},
            cause="Equal salts: the units of an arm here are in one arm there, so that the effects can't be told apart",
            next_step="Leave the salt out, so that one is made",
        )
    if not others:
        return ChecklistItem.ok(
            "shared_units", "No running experiment and no release shares its units", evidence
        )
    return ChecklistItem.ok(
        "shared_units",
        f"Its units are in {len(experiments)} running experiments and {len(releases)} releases as well",
        evidence,
        cause="Each divides them by a hash of its own, so that the arms stay alike",
        next_step="Give those that touch the same page a layer in common",
    )


def _reached(size: Size, days: int, evidence: dict[str, object]) -> ChecklistItem:
    at = size.starts_at + days * _DAY
    evidence |= {"days": days, "reached_at": at.date().isoformat()}
    headline = f"{size.planned_units:,} units are reached in about {_days(days)}, on {at:%Y-%m-%d}"
    late = None
    if size.planned_days is not None and days > size.planned_days:
        late = f"{_days(size.planned_days)} are planned"
    elif size.stops_at is not None and at > size.stops_at:
        late = f"It stops at {size.stops_at:%Y-%m-%d %H:%MZ}"
    if late is None:
        return ChecklistItem.ok("planned_size", headline, evidence)
    return ChecklistItem.warning(
        "planned_size",
        headline,
        evidence,
        cause=late,
        next_step="Raise the allocation, run it longer, or plan fewer units",
    )


def _source(event_type: str, wanted: Mapping[str, str] | None) -> Source:
    return Source(event_type, tuple(sorted((wanted or {}).items())))


def _days(count: int) -> str:
    return f"{count} day{'s' * (count != 1)}"
