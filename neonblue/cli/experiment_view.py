"""Experiments on a terminal: a table of many, a page of one, its history. Nothing is cut off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from neonblue.cli.texts import compact, day, moment, share
from neonblue.client import Experiment, Metric, Variant
from neonblue.client.messages import (
    Denominator,
    Evaluations,
    ExperimentVersion,
    Ramp,
    RecordedDecision,
    Release,
    WatchedMetric,
)
from neonblue.contract.durations import read_duration
from neonblue.ramps.plan import Ramp as Planned
from neonblue.ramps.plan import RampStep
from neonblue.ramps.planner import Standing, outlook
from neonblue.texts import person, plain

_COLOURS = {"running": "green", "paused": "yellow", "scheduled": "cyan", "draft": "", "concluded": "dim"}
_SECONDS_OF_A_DAY = 86_400
_SECONDS_OF_AN_HOUR = 3_600
_HOURS_OF_A_DAY = 24
_LIST = ("key", "status", "kind", "allocation", "owner", "started", "days")
_TOLD_BY_THE_TIME = frozenset({"started_at", "concluded_at"})
_UNSHOWN = frozenset({"key", "status", "id", "variants", "metrics", "decision", "warnings"})
_GRADES = {"ok": "green", "warning": "yellow", "blocking": "bold red"}


class CheckedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the API looked at: ok, warning or blocking, what was found, why, and what to do."""

    code: str
    status: str
    headline: str
    cause: str | None = None
    next_step: str | None = None


class Met(msgspec.Struct, frozen=True):
    """A variant that a person met, and when first."""

    variant_key: str
    first_at: datetime


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a person would be answered now; no variant: the reason says why."""

    variant_key: str | None = None
    reason: str | None = None
    served_by: str | None = None


class InExperiment(msgspec.Struct, frozen=True, kw_only=True):
    """A person in one experiment: the stored variant, since when, what it met, what it would be answered."""

    experiment: str
    experiment_status: str
    variant_key: str | None = None
    reason: str | None = None
    assigned_at: datetime | None = None
    exposures: list[Met] = []
    several_variants: bool = False
    now: Answered | None = None


def grid(headings: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table whose cells are texts as they are: no markup in them counts."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in headings:
        made.add_column(heading, no_wrap=True)
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return made


def experiments_table(experiments: Iterable[Experiment], now: datetime) -> Table:
    return grid(_LIST, (_list_row(experiment, now) for experiment in experiments))


def days_running(experiment: Experiment, now: datetime) -> str:
    """The day that it is on since its start, or was on at its end, of those that were planned: 3 of 14."""
    if experiment.started_at is None:
        return ""
    end = experiment.concluded_at or now
    days = max(0, int((end - experiment.started_at).total_seconds() // _SECONDS_OF_A_DAY)) + 1
    return f"{days} of {experiment.planned_days}" if experiment.planned_days else str(days)


def experiment_page(
    experiment: Experiment, versions: Sequence[ExperimentVersion], now: datetime
) -> RenderableType:
    """All that is configured, what was decided, and every change."""
    parts: list[RenderableType] = [_title(experiment), "", _fields(experiment, now)]
    if experiment.decision is not None:
        parts += ["", Text(decision_sentence(experiment.decision, versions), style="bold")]
    parts += ["", _variants(experiment.variants)]
    parts += ["", _metrics(experiment.metrics) if experiment.metrics else Text("no metrics", style="dim")]
    if experiment.watched:
        parts += ["", _watched(experiment.watched)]
    parts += [Text(f"look at  {line}", style="yellow") for line in warning_lines(experiment)]
    if versions:
        parts += ["", history_table(versions)]
    return Group(*parts)


def decision_sentence(decision: RecordedDecision, versions: Sequence[ExperimentVersion] = ()) -> str:
    """What was decided and why; by whom and when, where the decision or the versions say so."""
    outcome = decision.outcome.replace("_", " ")
    what = f"{outcome} {decision.variant_key}" if decision.variant_key else outcome
    by, at = decision.decided_by, decision.decided_at
    if by is None:
        made = next((version for version in versions if "decision" in version.difference), None)
        by, at = (made.created_by, made.created_at) if made else (None, None)
    taken = f", by {person(by)} at {moment(at)}" if by else ""
    return f"decided: {plain(what)}{taken}: {plain(decision.reason)}"


def release_words(release: Release) -> str:
    """Which variant goes to which share of whom."""
    whom = "everyone" if release.population == "everyone" else "those targeted"
    return f"{plain(release.variant_key)} to {share(release.share)} of {whom}{_grows(release)}"


def _grows(release: Release) -> str:
    """The next step of its ramp."""
    if release.ramp is None:
        return ""
    steps = tuple(RampStep(step.share, read_duration(step.hold)) for step in release.ramp.steps)
    coming = outlook(Planned(steps), Standing(release.share, 0, release.ramp.step_since))
    if coming is None or coming.share is None or coming.until is None:
        return ""
    return f", {share(coming.share)} from {moment(coming.until)} on"


def ramp_words(ramp: Ramp) -> str:
    """Its steps, how many of them were taken, and whether it is held."""
    steps = ", ".join(f"{share(step.allocation)} {step.hold}" for step in ramp.steps)
    held = "" if ramp.held is None else f", held: {plain(ramp.held)}"
    return f"{ramp.position} of {len(ramp.steps)} steps taken{held} ({steps})"


def assignments_table(items: Iterable[InExperiment]) -> Table:
    """A line for each experiment of a person."""
    return grid(
        ("experiment", "status", "variant", "why", "since", "met", "now", "why"),
        (
            (
                plain(item.experiment),
                Text(item.experiment_status, style=_COLOURS.get(item.experiment_status, "")),
                plain(item.variant_key),
                f"{plain(item.reason)}{', several variants' if item.several_variants else ''}",
                moment(item.assigned_at),
                ", ".join(f"{plain(met.variant_key)} {moment(met.first_at)}" for met in item.exposures),
                plain(item.now and item.now.variant_key),
                plain(item.now and item.now.reason),
            )
            for item in items
        ),
    )


def checklist_lines(items: Iterable[CheckedItem]) -> RenderableType:
    """Every item with what was found; below it why, and what to do."""
    made = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    for _ in range(3):
        made.add_column(no_wrap=True)
    for item in items:
        made.add_row(
            Text(plain(item.status), style=_GRADES.get(item.status, "")),
            Text(plain(item.code)),
            Text(plain(item.headline)),
        )
        for further in (item.cause, item.next_step):
            if further and item.status != "ok":
                made.add_row("", "", Text(f"  {plain(further)}", style="dim"))
    return made


def warning_lines(experiment: Experiment) -> list[str]:
    """What to look at, a line each."""
    return [
        f"{plain(warning.field)}: {plain(warning.message)}" if warning.field else plain(warning.message)
        for warning in experiment.warnings or ()
    ]


def history_table(versions: Iterable[ExperimentVersion]) -> Table:
    """Every change, newest first: what differed stands below one another."""
    rows: list[Sequence[str | Text]] = []
    for version in versions:
        changes = list(_changes(version)) or [""]
        head = (
            str(version.version), moment(version.created_at), plain(version.action), person(version.created_by),
        )  # fmt: skip
        rows.append((*head, changes[0], plain(version.reason)))
        rows += [("", "", "", "", change, "") for change in changes[1:]]
    return grid(("version", "when", "what", "who", "change", "why"), rows)


def asked_sentence(found: Evaluations) -> str:
    """How often a key was asked for in the span that was looked at, and when last."""
    often = {0: "not asked for", 1: "asked for once"}.get(found.total, f"asked for {found.total:,} times")
    last = "" if found.last_asked_at is None else f", the last time at {moment(found.last_asked_at)}"
    return f"{plain(found.experiment)} was {often} in the last {_length(found.until - found.since)}{last}"


def evaluations_table(found: Evaluations) -> Table:
    """Which answers the key got, most frequent first."""
    rows = [(plain(one.variant_key) or "none", plain(one.reason), f"{one.count:,}") for one in found.counts]
    return grid(("variant", "reason", "answers"), rows)


def _length(span: timedelta) -> str:
    """Whole hours, in days where they are several."""
    hours = round(span.total_seconds() / _SECONDS_OF_AN_HOUR)
    if hours == 1:
        return "hour"
    days, rest = divmod(hours, _HOURS_OF_A_DAY)
    return f"{hours} hours" if rest or days == 1 else f"{days} days"


def _list_row(experiment: Experiment, now: datetime) -> tuple[str | Text, ...]:
    return (
        plain(experiment.key),
        Text(experiment.status, style=_COLOURS.get(experiment.status, "")),
        plain(experiment.source),
        share(experiment.allocation),
        plain(experiment.owner),
        day(experiment.started_at),
        days_running(experiment, now),
    )


def _title(experiment: Experiment) -> Text:
    return Text.assemble(
        (plain(experiment.key), "bold"), "  ", (experiment.status, _COLOURS.get(experiment.status, ""))
    )


def _fields(experiment: Experiment, now: datetime) -> Table:
    found = {
        name: _field(getattr(experiment, name))
        for name in Experiment.__struct_fields__
        if name not in _UNSHOWN
    }
    layer = experiment.layer
    found |= {
        "allocation": share(experiment.allocation),
        "holdouts": "all there are" if experiment.holdouts is None else _field(experiment.holdouts) or "none",
        "layer": "" if layer is None else f"{layer.key}, slots {layer.start} to {layer.end}",
        "days": days_running(experiment, now),
        "ramp": "" if experiment.ramp is None else ramp_words(experiment.ramp),
        "release": "" if experiment.release is None else release_words(experiment.release),
    }
    made = Table.grid(padding=(0, 2, 0, 0))
    for name, text in found.items():
        if text:
            made.add_row(Text(name.replace("_", " "), style="dim"), Text(text, overflow="fold"))
    return made


def _field(value: Any) -> str:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value)
    return plain(value)


def _variants(variants: Sequence[Variant]) -> Table:
    total = sum(variant.weight for variant in variants) or 1
    rows = [
        (
            plain(variant.key),
            f"{100 * variant.weight / total:.3g} %",
            "control" if variant.is_control else "" if variant.active else "dropped",
            plain(variant.name),
            "" if variant.payload is None else compact(variant.payload),
        )
        for variant in variants
    ]
    return grid(("variant", "share", "", "name", "payload"), rows)


def _metrics(metrics: Sequence[Metric]) -> Table:
    rows = [
        (
            plain(metric.key),
            metric.role,
            f"{metric.direction} is better",
            f"{metric.type}: {metric.aggregation} of {plain(metric.event_type)}",
            "; ".join(_details(metric)),
        )
        for metric in metrics
    ]
    return grid(("metric", "role", "direction", "what", "details"), rows)


def _watched(metrics: Sequence[WatchedMetric]) -> Table:
    """By which metrics of the catalogue it is watched beside its own guardrails."""
    rows = [
        (
            plain(metric.key),
            f"units that entered from version {metric.since} on" if metric.active else "no longer",
            plain(metric.on_breach or ""),
        )
        for metric in metrics
    ]
    return grid(("watched by the catalogue", "over", "on breach"), rows)


def _details(metric: Metric) -> Iterator[str]:
    """What the definition says beside its kind, where it is not the default."""
    shown = {"key", "type", "event_type", "aggregation", "role", "direction"}
    defaults = Metric(key="", type="", event_type="", aggregation="")
    for name in Metric.__struct_fields__:
        value = getattr(metric, name)
        if name in shown or value == getattr(defaults, name):
            continue
        if name == "cuped" and value:
            continue  # as the API completes it
        if isinstance(value, Denominator):
            value = f"{value.aggregation} of {value.event_type}"
        yield f"{name.replace('_', ' ')} {compact(value) if isinstance(value, dict) else plain(value)}"


def _changes(version: ExperimentVersion) -> Iterator[str]:
    if version.action == "create":
        return
    for name, change in version.difference.items():
        if name in _TOLD_BY_THE_TIME:
            continue
        before, after = (
            (change.get("before"), change.get("after")) if isinstance(change, dict) else ("", change)
        )
        if name == "allocation" and isinstance(before, int) and isinstance(after, int):
            yield f"{name}: {share(before)} → {share(after)}"
        else:
            yield f"{name}: {compact(before)} → {compact(after)}"


def utc_now() -> datetime:
    return datetime.now(UTC)
