"""Units per arm: against the allocation, and day by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from neonblue.reports import wording
from neonblue.reports.charts.bars import bars
from neonblue.reports.charts.lines import lines
from neonblue.reports.drawing import DataTable, Drawing, Width
from neonblue.reports.model import ArmExposure, ArmShare, Scale


def shares_chart(shares: Sequence[ArmShare]) -> Drawing:
    """Units of each arm, with a line where the allocation puts its end."""
    arms = [share.arm for share in shares]
    group = "units"
    return bars(
        "shares",
        "Units per arm",
        [group],
        arms,
        {(group, share.arm): float(share.observed) for share in shares},
        lambda value: wording.count(round(value)),
        Scale.NUMBER,
        DataTable(
            ("arm", "units", "expected", "share"),
            tuple(
                (
                    share.arm,
                    wording.count(share.observed),
                    wording.count(round(share.expected)),
                    wording.share(share.observed / max(sum(each.observed for each in shares), 1)),
                )
                for share in shares
            ),
        ),
        {(group, share.arm): share.expected for share in shares},
        "expected",
    )


def exposures_chart(exposures: Sequence[ArmExposure], arms: Sequence[str]) -> Drawing:
    """First exposures of each UTC day and arm; a day without any counts as zero."""
    units: dict[tuple[str, date], int] = defaultdict(int)
    for row in exposures:
        units[row.arm, row.day] += row.units
    days = sorted({row.day for row in exposures})
    totals = {arm: sum(units[arm, day] for day in days) for arm in arms}
    words = ", ".join(f"{arm} {wording.count(total)}" for arm, total in totals.items())
    return lines(
        "exposures",
        "First exposures per day",
        f"From {days[0]} to {days[-1]}, in all: {words}.",
        arms,
        {arm: [(float(date2num(day)), float(units[arm, day])) for day in days] for arm in arms},
        Scale.NUMBER,
        DataTable(
            ("day", *arms),
            tuple((day.isoformat(), *(wording.count(units[arm, day]) for arm in arms)) for day in days),
        ),
        _days,
    )


def _days(figure: Figure, width: Width) -> None:
    locator = AutoDateLocator(maxticks=5 if width is Width.NARROW else 9)
    axes = figure.axes[0]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
