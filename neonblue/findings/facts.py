"""The line under an experiment's title. Pure."""

from __future__ import annotations

from neonblue.analysis.about import About, ArmShare
from neonblue.statistics import numbers
from neonblue.texts import instant, plain


def facts_of(about: About, units: int | None) -> tuple[tuple[str, str], ...]:
    """The line under the title, as names and texts: status, days, units, split, traffic, owner.

    units: in the results; None where they are not counted.
    """
    facts = [("status", _status(about))]
    if about.day is not None and about.source != "external":
        facts.append(
            ("day", f"{about.day} of {about.planned_days}" if about.planned_days else f"{about.day}")
        )
    if units is not None:
        planned = f" of {numbers.count(about.planned_units)} planned" if about.planned_units else ""
        facts.append(("units", f"{numbers.count(units)}{planned}"))
    facts.append(("split", ", ".join(_arm(arm) for arm in about.arms)))
    if about.source != "external":
        facts.append(("traffic", _percent(about.allocation)))
    facts.append(("owner", plain(about.owner) if about.owner else "nobody named"))
    return tuple(facts)


def _status(about: About) -> str:
    started, concluded = about.started_at, about.concluded_at
    if about.source == "external":
        return f"{about.status}, collected elsewhere"
    if about.status == "scheduled":
        when = about.scheduled_start_at
        return f"scheduled to start {instant(when)}" if when else "scheduled"
    since = f" since {instant(started)}" if started else ""
    if about.status == "running":
        until = f" until {instant(about.scheduled_stop_at)}" if about.scheduled_stop_at else ""
        return f"running{since}{until}"
    if about.status == "paused":
        return f"paused, started {instant(started)}" if started else "paused"
    if concluded is not None:
        ran = f", ran from {instant(started)}" if started else ", ran"
        return f"{about.status}{ran} to {instant(concluded)}"
    return about.status


def _arm(arm: ArmShare) -> str:
    named = plain(arm.key) if arm.name in ("", arm.key) else f"{plain(arm.key)} ({plain(arm.name)})"
    return f"{named} {'dropped' if arm.is_dropped else _percent(arm.share)}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + " %"
