"""A confidence sequence over time: the difference with an interval that holds at every look at once."""

from __future__ import annotations

from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from neonblue.reports import wording
from neonblue.reports.drawing import DataTable, Drawing, Width, round_ticks
from neonblue.reports.model import Sequence
from neonblue.reports.palette import Ink


def sequence_chart(sequence: Sequence, place: int) -> Drawing:
    """One metric of one arm; `place` makes the name unique. The sequence must have points."""

    def paint(figure: Figure, width: Width) -> None:
        axes = figure.subplots()
        days = [float(date2num(point.day)) for point in sequence.points]
        axes.fill_between(
            days,
            [point.lower for point in sequence.points],
            [point.upper for point in sequence.points],
            color=Ink.ARM_1.value,
            alpha=0.2,
            linewidth=0,
        )
        axes.plot(
            days,
            [point.difference for point in sequence.points],
            color=Ink.ARM_1.value,
            linewidth=1.8,
            marker="o",
            markersize=4 if len(days) == 1 else 0,
        )
        axes.axhline(0, color=Ink.MUTED.value, linewidth=1)
        axes.set_ylim(*_room(sequence))
        locator = AutoDateLocator(maxticks=5 if width is Width.NARROW else 9)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.yaxis.set_major_locator(round_ticks(5))
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda y, _: wording.tick(y, sequence.scale, sign=True, suffix=" pp"))
        )
        axes.grid(axis="y")
        axes.set_title(
            f"difference, any-time interval at {wording.level(sequence.level)}", fontsize=8.5, loc="left"
        )

    first, last = sequence.points[0], sequence.points[-1]
    interval = wording.interval(last.lower, last.upper, sequence.scale)
    excluded = last.lower > 0 or last.upper < 0
    return Drawing(
        name=f"sequence-{place}",
        title=f"{sequence.metric}, {sequence.arm}: difference over time",
        alternative=(
            f"From {first.day} to {last.day} the any-time interval at {wording.level(sequence.level)} narrows to "
            f"{interval} around {wording.difference(last.difference, sequence.scale)} at "
            f"{wording.count(last.units)} units; it {'leaves out' if excluded else 'holds'} zero."
        ),
        table=DataTable(
            ("day", "units", "difference", "lower", "upper", "level"),
            tuple(
                (
                    point.day.isoformat(),
                    wording.count(point.units),
                    wording.difference(point.difference, sequence.scale),
                    wording.difference(point.lower, sequence.scale),
                    wording.difference(point.upper, sequence.scale),
                    wording.level(sequence.level),
                )
                for point in sequence.points
            ),
        ),
        height=lambda width: 2.4 if width is Width.WIDE else 2.2,
        paint=paint,
    )


def _room(sequence: Sequence) -> tuple[float, float]:
    """The axis: the first days' intervals may be so wide that the rest would be a line; they are cut."""
    widths = sorted(point.upper - point.lower for point in sequence.points)
    reach = 2.5 * widths[len(widths) // 2]
    low = max(
        min(point.lower for point in sequence.points), min(p.difference for p in sequence.points) - reach
    )
    high = min(
        max(point.upper for point in sequence.points), max(p.difference for p in sequence.points) + reach
    )
    edge = 0.05 * (high - low)
    return min(low, 0.0) - edge, max(high, 0.0) + edge
