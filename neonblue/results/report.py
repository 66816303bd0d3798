"""An experiment's report out of the warehouse, and the overview of a week."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TypeAlias, TypeVar

from neonblue.analysis import ExperimentRows, Question, entered_by_day
from neonblue.analysis.over_time import day_effects, of_metric
from neonblue.analysis.stamp import Stamp
from neonblue.contract.looks import LookMessage
from neonblue.contract.messages import ExperimentMessage
from neonblue.findings.effects import effects_of, scale_of
from neonblue.findings.notes import notes_of
from neonblue.findings.said import said_in
from neonblue.reports import (
    ArmExposure,
    ArmRevenue,
    ExperimentLine,
    ExperimentReport,
    FunnelStep,
    Overview,
    Provenance,
    RetentionPoint,
    SegmentEffect,
    SequencePoint,
    Unavailable,
    report_of_analysis,
)
from neonblue.reports import Sequence as Line
from neonblue.results.look import Look, look
from neonblue.results.parts import CohortItem, read_cohorts, read_funnel, read_revenue, shown_revenue
from neonblue.results.publish import ReportLine, newest_page
from neonblue.results.segments import read_segments
from neonblue.results.warehouse import Counted, NotBuilt, Warehouse
from neonblue.statistics import Role
from neonblue.statistics.methods.by_kind import KINDS

_MOST_LINES = 6
_RETENTION_DAYS = 30
_RUNNING_KEYS = """
SELECT key
FROM experiments
GROUP BY key
HAVING argMax(status, (version, received_at)) NOT IN ('draft', 'scheduled', 'archived')
    AND coalesce(argMax(toDate(concluded_at, 'UTC'), (version, received_at)), toDate('2149-01-01')) >= {first:Date}
    AND coalesce(argMax(toDate(started_at, 'UTC'), (version, received_at)), toDate(0)) <= {last:Date}
ORDER BY key
"""
Part = TypeVar("Part")
Kept: TypeAlias = Sequence[LookMessage]


def report_of(warehouse: Warehouse, seen: Look) -> ExperimentReport:
    """The whole report of one look. Raises ClickHouse's or the network's error."""
    configuration, question, report = seen.configuration, seen.question, seen.report
    provenance = provenance_of(seen.stamp)
    if configuration is None or question is None or report is None or seen.rows is None:
        return _without_data(seen, provenance)
    title = configuration.name or configuration.key
    made = report_of_analysis(
        configuration.key, title, question.experiment, question.plan, report, provenance
    )
    today = (seen.stamp.watermark or seen.stamp.computed_at).date()
    made = replace(
        made,
        said=said_in(seen.answer),
        about=seen.answer.about,
        units=seen.answer.units,
        hypothesis=configuration.hypothesis or "",
        effects=tuple(
            replace(effect, note=" ".join(filter(None, (effect.note, *notes_of(question, result)))))
            for effect, result in zip(made.effects, report.results, strict=True)
        ),
        sequences=_sequences(seen),
        exposures=_exposures(seen.rows),
        funnel=_part(lambda: _funnel(warehouse, configuration)),
        retention=_part(lambda: retention_of(read_cohorts(warehouse, configuration), today)),
        revenue=_part(lambda: _revenue(warehouse, configuration, question)),
        segments=_part(lambda: _segments(warehouse, seen)),
    )
    return replace(made, provenance=_with_later(made.provenance, seen.counted, warehouse.counted()))


def overview_of(warehouse: Warehouse, first: date, last: date, looks: Callable[[str], Kept]) -> Overview:
    """The experiments that ran on any of these days.

    looks: gives those that are kept of one. Raises ClickHouse's or the network's error.
    """
    rows = warehouse.client.query(_RUNNING_KEYS, parameters={"first": first, "last": last}).result_rows
    seen = [look(warehouse, key, looks=looks(key)) for (key,) in rows]
    stamps = [each.stamp for each in seen]
    stamp = stamps[-1] if stamps else look(warehouse, "").stamp
    provenance = replace(provenance_of(stamp), configuration_version=None)
    pages = [newest_page(warehouse.client, each.answer.experiment_id) for each in seen]
    lines = tuple(_line(each, page) for each, page in zip(seen, pages, strict=True))
    return Overview(first, last, lines, provenance)


def _with_later(provenance: Provenance, before: Counted, after: Counted) -> Provenance:
    """Decision, health, metrics and exposures are of one reading; the parts after it may hold a few seconds more."""
    if before == after or after.to is None:
        return provenance
    later = f"; funnel, retention, revenue and segments hold what had arrived by {after.to:%H:%M:%SZ}"
    return replace(provenance, source=provenance.source + later)


def provenance_of(stamp: Stamp) -> Provenance:
    """The stamp as a report shows it."""
    return Provenance(
        "the warehouse, built from everything the experiment's units sent",
        stamp.computed_at,
        stamp.code_version,
        stamp.watermark,
        stamp.configuration_version,
    )


def retention_of(cohorts: Sequence[CohortItem], today: date) -> tuple[RetentionPoint, ...] | Unavailable:
    """By days since the first exposure, over the cohorts whose day has passed before `today`.

    A cohort without a row for a day had nobody active on it. The day of the exposure itself is left out.
    """
    sizes = {(row.variant_key, row.exposure_date): row.cohort_units for row in cohorts}
    active = {(row.variant_key, row.exposure_date, row.day_since): row.active_units for row in cohorts}
    totals: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
    furthest = max((row.day_since for row in cohorts), default=0)
    if furthest == 0 and any(day + timedelta(days=2) < today for _, day in sizes):
        return Unavailable("No unit was active after its first day.")
    for (variant, day), units in sizes.items():
        for since in range(1, min(furthest, _RETENTION_DAYS) + 1):
            # Units enter during a day: its end is a day later for the last of them.
            if day + timedelta(days=since + 1) < today:
                total = totals[since, variant]
                total[0] += units
                total[1] += active.get((variant, day, since), 0)
    return tuple(
        RetentionPoint(since, variant, units, back)
        for (since, variant), (units, back) in sorted(totals.items())
    )


def _without_data(seen: Look, provenance: Provenance) -> ExperimentReport:
    configuration = seen.configuration
    variants = configuration.variants if configuration else []
    arms = tuple(variant.key for variant in sorted(variants, key=lambda variant: not variant.is_control))
    missing = Unavailable(seen.answer.reason)
    return ExperimentReport(
        key=seen.answer.experiment,
        title=(configuration.name if configuration else None) or seen.answer.experiment,
        said=said_in(seen.answer),
        about=seen.answer.about,
        arms=arms or ("control",),
        effects=(),
        health=(),
        methods=(),
        provenance=provenance,
        hypothesis=(configuration.hypothesis if configuration else None) or "",
        shares=missing,
        sequences=missing,
        exposures=missing,
        funnel=missing,
        retention=missing,
        revenue=missing,
        segments=missing,
    )


def _part(read: Callable[[], tuple[Part, ...] | Unavailable]) -> tuple[Part, ...] | Unavailable:
    try:
        return read()
    except NotBuilt as missing:
        return Unavailable(str(missing))


def _sequences(seen: Look) -> tuple[Line, ...]:
    question, rows = seen.question, seen.rows
    if question is None or rows is None:
        return ()
    effects = day_effects(seen.configurations, rows, question)
    lines = []
    for metric in question.experiment.metrics:
        if metric.role is not Role.PRIMARY or not KINDS[metric.kind].adds_up:
            continue
        for arm in question.experiment.treatments:
            found = of_metric(effects, metric.name, arm)
            points = tuple(
                SequencePoint(effect.day, effect.units, effect.difference, effect.lower, effect.upper)
                for effect in found
                if effect.difference is not None and effect.lower is not None and effect.upper is not None
            )
            if points:
                lines.append(Line(metric.name, arm, scale_of(metric.kind), found[0].level, points))
    return tuple(lines[:_MOST_LINES])


def _exposures(rows: ExperimentRows) -> tuple[ArmExposure, ...]:
    return tuple(ArmExposure(day, arm, units) for (day, arm), units in entered_by_day(rows.moments).items())


def _funnel(warehouse: Warehouse, experiment: ExperimentMessage) -> tuple[FunnelStep, ...]:
    return tuple(
        FunnelStep(item.step, item.event_type, item.variant_key, item.units)
        for item in read_funnel(warehouse, experiment)
    )


def _revenue(
    warehouse: Warehouse, experiment: ExperimentMessage, question: Question
) -> tuple[ArmRevenue, ...]:
    versions = {metric.key: metric.version for metric in experiment.metrics}
    return tuple(
        ArmRevenue(
            item.metric_key,
            item.variant_key,
            item.units,
            item.revenue,
            item.incremental_revenue,
            item.incremental_low,
            item.incremental_high,
        )
        for item in shown_revenue(read_revenue(warehouse, experiment), question)
        if versions.get(item.metric_key) == item.metric_version
    )


def _segments(warehouse: Warehouse, seen: Look) -> tuple[SegmentEffect, ...]:
    return () if seen.question is None else read_segments(warehouse, seen.configurations, seen.question)


def _line(seen: Look, page: ReportLine | None) -> ExperimentLine:
    answer, configuration = seen.answer, seen.configuration
    results = seen.report.results if seen.report else ()
    primary = [
        effect for effect in effects_of(results) if effect.role is Role.PRIMARY and effect.lift is not None
    ]
    return ExperimentLine(
        key=answer.experiment,
        title=(configuration.name if configuration else None) or answer.experiment,
        status=configuration.status if configuration else "unknown",
        said=said_in(answer),
        about=answer.about,
        units=answer.units,
        headline=primary[0] if primary else None,
        unhealthy=tuple(check.name for check in answer.health if not check.passed and check.blocking),
        # The API serves both beside each other.
        report=page.report_id if page else "",
    )
