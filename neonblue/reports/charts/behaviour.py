"""What units did: the funnel, retention, revenue."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from neonblue.reports import wording
from neonblue.reports.charts.bars import bars
from neonblue.reports.charts.lines import lines
from neonblue.reports.drawing import DataTable, Drawing, Width, round_ticks
from neonblue.reports.model import ArmRevenue, FunnelStep, RetentionPoint, Scale


def funnel_chart(steps: Sequence[FunnelStep], arms: Sequence[str]) -> Drawing:
    """The share of each arm's first step that reached each step."""
    order = sorted({(step.step, step.name) for step in steps})
    units = {(step.step, step.arm): step.units for step in steps}
    first = {arm: units.get((order[0][0], arm), 0) for arm in arms}
    names = {number: f"{place + 1}. {name}" for place, (number, name) in enumerate(order)}
    return bars(
        "funnel",
        "Share of each arm that reached the step",
        [names[number] for number, _ in order],
        arms,
        {
            (names[number], arm): units.get((number, arm), 0) / first[arm]
            for number, _ in order
            for arm in arms
            if first[arm]
        },
        wording.share,
        Scale.SHARE,
        DataTable(
            ("step", *arms),
            tuple(
                (
                    names[number],
                    *(
                        f"{wording.count(units.get((number, arm), 0))} "
                        f"({wording.share(units.get((number, arm), 0) / first[arm] if first[arm] else None)})"
                        for arm in arms
                    ),
                )
                for number, _ in order
            ),
        ),
    )


def retention_chart(points: Sequence[RetentionPoint], arms: Sequence[str]) -> Drawing:
    """The share of each arm's units that came back, by days since the first exposure."""
    by_arm = {
        arm: sorted(
            (point for point in points if point.arm == arm and point.units), key=lambda point: point.day
        )
        for arm in arms
    }
    days = sorted({point.day for point in points})
    cells = {(point.day, point.arm): point for point in points}
    words = "; ".join(
        f"{arm}: "
        + ", ".join(f"day {point.day} {wording.share(point.retained / point.units)}" for point in of_arm)
        for arm, of_arm in by_arm.items()
    )
    return lines(
        "retention",
        "Share that came back, by days since the first exposure",
        words + ".",
        arms,
        {arm: [(float(p.day), p.retained / p.units) for p in of_arm] for arm, of_arm in by_arm.items()},
        Scale.SHARE,
        DataTable(
            ("day", *arms), tuple((str(day), *(_cell(cells.get((day, arm))) for arm in arms)) for day in days)
        ),
        _whole_days,
    )


def revenue_charts(rows: Sequence[ArmRevenue]) -> tuple[Drawing, ...]:
    """Revenue per unit of each arm, one drawing for each metric that has units."""
    metrics = dict.fromkeys(row.metric for row in rows)
    parts = [[row for row in rows if row.metric == metric] for metric in metrics]
    return tuple(_revenue(place, part) for place, part in enumerate(parts) if any(row.units for row in part))


def _revenue(place: int, rows: Sequence[ArmRevenue]) -> Drawing:
    arms = [row.arm for row in rows]
    group = "per unit"
    return bars(
        f"revenue-{place}",
        f"{rows[0].metric}: per unit",
        [group],
        arms,
        {(group, row.arm): row.revenue / row.units for row in rows if row.units},
        lambda value: wording.number(value),
        Scale.NUMBER,
        DataTable(
            ("arm", "units", "revenue", "per unit", "incremental", "lower", "upper", "level"),
            tuple(
                (
                    row.arm,
                    wording.count(row.units),
                    wording.number(row.revenue),
                    wording.number(row.revenue / row.units if row.units else None),
                    wording.number(row.incremental, sign=True),
                    wording.number(row.lower, sign=True),
                    wording.number(row.upper, sign=True),
                    wording.NONE if row.lower is None else wording.level(row.level),
                )
                for row in rows
            ),
        ),
    )


def _cell(point: RetentionPoint | None) -> str:
    if point is None or not point.units:
        return wording.NONE
    return f"{wording.share(point.retained / point.units)} of {wording.count(point.units)}"


def _whole_days(figure: Figure, width: Width) -> None:
    axes = figure.axes[0]
    axes.xaxis.set_major_locator(round_ticks(6 if width is Width.NARROW else 12, whole=True))
    axes.set_xlabel("days since the first exposure")
