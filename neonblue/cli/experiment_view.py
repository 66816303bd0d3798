"""Experiments on a terminal: a table of many, a page of one, its history. Nothing is cut off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from neonblue.cli.texts import compact, day, moment, share
from neonblue.client import Experiment, Metric, Variant
from neonblue.client.messages import Denominator, ExperimentVersion, RecordedDecision, Release
from neonblue.texts import person, plain

_COLOURS = {"running": "green", "paused": "yellow", "scheduled": "cyan", "draft": "", "concluded": "dim"}
_SECONDS_OF_A_DAY = 86_400
_LIST = ("key", "status", "kind", "allocation", "owner", "started", "days")
_TOLD_BY_THE_TIME = frozenset({"started_at", "concluded_at"})
_UNSHOWN = frozenset({"key", "status", "id", "variants", "metrics", "decision", "warnings"})


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
    return f"{plain(release.variant_key)} to {share(release.share)} of {whom}"


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
