"""A report's drawings, in the order of the page; what is missing has its reason instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from neonblue.reports.charts.behaviour import funnel_chart, retention_chart, revenue_charts
from neonblue.reports.charts.effects import effects_chart
from neonblue.reports.charts.segments import segment_charts
from neonblue.reports.charts.sequence import sequence_chart
from neonblue.reports.charts.traffic import exposures_chart, shares_chart
from neonblue.reports.drawing import Drawing
from neonblue.reports.model import ExperimentReport, Unavailable
from neonblue.reports.model import Sequence as Course

Part = TypeVar("Part")
_ONE_DAY = "All units entered on one day: there is nothing to compare over time."


@dataclass(frozen=True, slots=True)
class Section:
    """One heading of the page. reason: why there is no drawing, empty where there is one."""

    anchor: str
    heading: str
    introduction: str
    drawings: tuple[Drawing, ...]
    reason: str = ""


def sections_of(report: ExperimentReport) -> tuple[Section, ...]:
    """Every section, also those that only have a reason."""
    arms = report.arms
    return (
        _section(
            "effects",
            "Effects",
            "Each line is a metric's change with its interval. The square is filled where the verdict is better or "
            "worse, hollow where it is not decided.",
            report.effects,
            lambda effects: _some(effects_chart(effects, arms)),
            "No metric has an estimate yet.",
        ),
        _section(
            "over-time",
            "Over time",
            "Intervals that hold at every look at once: units that entered up to each day, as known now.",
            report.sequences,
            lambda found: tuple(sequence_chart(s, i) for i, s in enumerate(found) if len(s.points) > 1),
            _ONE_DAY if _has_points(report.sequences) else "No unit has finished its window yet.",
        ),
        _section(
            "exposure",
            "Exposure and sample ratio",
            "Units of each arm. The line across a bar marks what the allocation makes one expect.",
            report.shares,
            lambda shares: (shares_chart(shares),),
        ),
        _section(
            "daily",
            "Exposure per day",
            "First exposures of each UTC day.",
            report.exposures,
            lambda rows: (exposures_chart(rows, arms),) if len({row.day for row in rows}) > 1 else (),
            _ONE_DAY if report.exposures else "No unit has been exposed yet.",
        ),
        _section(
            "funnel",
            "Funnel",
            "The share of each arm's units that reached the step, in the steps' order from the first exposure on.",
            report.funnel,
            lambda steps: (funnel_chart(steps, arms),),
            "No unit has entered the funnel yet.",
        ),
        _section(
            "retention",
            "Retention",
            "The share that came back, by days since the first exposure, of the units whose day has passed.",
            report.retention,
            lambda points: (retention_chart(points, arms),),
            "No unit's first day has passed yet.",
        ),
        _section(
            "revenue",
            "Revenue",
            "The events' values within each metric's window from the first exposure on, in the unit they were sent in.",
            report.revenue,
            revenue_charts,
            "There is no revenue yet.",
        ),
        _section(
            "segments",
            "Segments",
            "Exploration, not a verdict: p-values are adjusted over all segments shown together.",
            report.segments,
            lambda rows: segment_charts(rows, arms[0]),
            "Units have no attributes, or too few share one for an estimate.",
        ),
    )


def _section(
    anchor: str,
    heading: str,
    introduction: str,
    part: Sequence[Part] | Unavailable,
    draw: Callable[[Sequence[Part]], tuple[Drawing, ...]],
    empty: str = "There are no data yet.",
) -> Section:
    if isinstance(part, Unavailable):
        return Section(anchor, heading, introduction, (), part.reason)
    drawings = draw(part) if part else ()
    return Section(anchor, heading, introduction, drawings, "" if drawings else empty)


def _has_points(found: Sequence[Course] | Unavailable) -> bool:
    return not isinstance(found, Unavailable) and any(each.points for each in found)


def _some(drawing: Drawing | None) -> tuple[Drawing, ...]:
    return () if drawing is None else (drawing,)
