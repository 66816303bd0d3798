"""Effects with their intervals, as a forest plot of relative changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from neonblue.reports import wording
from neonblue.reports.drawing import DataTable, Drawing, Width, round_ticks
from neonblue.reports.model import Scale
from neonblue.reports.palette import Ink, verdict_ink
from neonblue.statistics import Verdict

_ROOM = 3.0  # an interval may reach this many times further out than the estimates and the median interval

_SHORT_LABEL = 12  # letters that fit beside the numbers on a phone
_LONG_LABEL = 40  # letters that take half of a wide plot


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a forest plot.

    lower, upper: None where unbounded; level: of this interval. margin: of a guardrail, None without one.
    """

    label: str
    value: float
    lower: float | None
    upper: float | None
    verdict: Verdict
    level: float
    margin: float | None = None


def forest(
    name: str, title: str, rows: Sequence[Row], table: DataTable, *, control: str = "control"
) -> Drawing:
    """Rows from top to bottom; a filled mark is decided, an open one is not. `rows` must not be empty."""
    low, high = _limits(rows)
    long = any(len(row.label) > _SHORT_LABEL for row in rows)

    def paint(figure: Figure, width: Width) -> None:
        axes = figure.subplots()
        for place, row in enumerate(rows):
            _interval(axes, place, row, low, high)
            _labels(axes, place, row, width, long)
        axes.axvline(0, color=Ink.MUTED.value, linewidth=1)
        axes.set_xlim(low, high)
        axes.set_ylim(len(rows) - 0.5, -0.8 if width is Width.NARROW else -0.6)
        axes.xaxis.set_major_locator(round_ticks(4 if width is Width.NARROW or _crowded(rows) else 7))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: wording.tick(x, Scale.SHARE, sign=True)))
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        dashed = "; dashed: a guardrail's margin" if any(row.margin is not None for row in rows) else ""
        axes.set_xlabel(f"change relative to {control}{dashed}")

    return Drawing(
        name=name,
        title=title,
        alternative=_words(rows),
        table=table,
        height=lambda width: 0.8 + (0.34 if width is Width.WIDE else 0.7 if long else 0.52) * len(rows),
        paint=paint,
    )


def _interval(axes: Axes, place: int, row: Row, left: float, right: float) -> None:
    ink = verdict_ink(row.verdict).value
    low, high = _ends(row)
    shown = [max(low, left), min(high, right)]
    axes.plot(shown, [place, place], color=ink, linewidth=2.2, solid_capstyle="butt")
    for edge, marker, cut in ((left, "<", low < left), (right, ">", high > right)):
        if cut:
            axes.plot([edge], [place], marker=marker, markersize=7, color=ink, clip_on=False)
    if row.margin is not None and left < row.margin < right:
        ends = [place - 0.3, place + 0.3]
        axes.plot(
            [row.margin, row.margin], ends, color=Ink.TEXT.value, linewidth=1.3, linestyle=(0, (2, 1.5))
        )
    decided = row.verdict in (Verdict.BETTER, Verdict.WORSE)
    axes.plot(
        [row.value],
        [place],
        marker="s",
        markersize=7 if decided else 6.5,
        color=ink,
        fillstyle="full" if decided else "none",
        markeredgewidth=1.6,
    )


def _labels(axes: Axes, place: int, row: Row, width: Width, long: bool) -> None:
    across = axes.get_yaxis_transform()
    interval = wording.change_interval(row.lower, row.upper)
    text = f"{wording.share(row.value, sign=True)}  ({wording.level(row.level)}: {interval})"
    axes.set_yticks([])
    if width is Width.WIDE:
        axes.text(-0.02, place, row.label, transform=across, ha="right", va="center")
        axes.text(1.02, place, text, transform=across, ha="left", va="center", fontsize=8.5)
    else:
        # On paper of its own, so that no line of the grid runs through the letters.
        paper = {"facecolor": Ink.PAPER.value, "edgecolor": "none", "pad": 1.0}
        above = place - (0.3 if long else 0.38)
        heading = place - 0.56 if long else above
        axes.text(0, heading, row.label, transform=across, va="center", fontweight="bold", bbox=paper)
        side, align = (0, "left") if long else (1, "right")
        axes.text(side, above, text, transform=across, ha=align, va="center", fontsize=7.5, bbox=paper)


def _crowded(rows: Sequence[Row]) -> bool:
    """Whether the labels leave the axis little room."""
    return any(len(row.label) > _LONG_LABEL for row in rows)


def _limits(rows: Sequence[Row]) -> tuple[float, float]:
    """The axis: every estimate, zero, and the intervals as far as they leave the others readable."""
    ends = [_ends(row) for row in rows]
    values = [0.0, *(row.value for row in rows)]
    reaches = sorted(max(abs(low), abs(high)) for low, high in ends)
    reach = _ROOM * max(reaches[len(reaches) // 2], *(abs(value) for value in values))
    if not math.isfinite(reach):
        reach = _ROOM * (max(abs(value) for value in values) or 0.01)
    values += [row.margin for row in rows if row.margin is not None and abs(row.margin) <= reach]
    low = min(min(values), max(min(low for low, _ in ends), -reach))
    high = max(max(values), min(max(high for _, high in ends), reach))
    edge = 0.05 * (high - low) or 0.01
    return low - edge, high + edge


def _ends(row: Row) -> tuple[float, float]:
    return (
        -math.inf if row.lower is None else row.lower,
        math.inf if row.upper is None else row.upper,
    )


def _words(rows: Sequence[Row]) -> str:
    return " ".join(
        f"{row.label}: {wording.share(row.value, sign=True)}, {wording.level(row.level)} interval "
        f"{wording.change_interval(row.lower, row.upper)}{_margin(row)}, {wording.VERDICTS[row.verdict]}."
        for row in rows
    )


def _margin(row: Row) -> str:
    return "" if row.margin is None else f", margin at {wording.share(row.margin, sign=True)}"
