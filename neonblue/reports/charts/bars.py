"""Groups of horizontal bars: one group for each thing, one bar for each arm, the value at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from neonblue.reports import wording
from neonblue.reports.drawing import DataTable, Drawing, Width, round_ticks
from neonblue.reports.model import Scale
from neonblue.reports.palette import Ink, arm_ink

_HATCHES = ("", "", "//", "..", "xx", "\\\\")


def bars(
    name: str,
    title: str,
    groups: Sequence[str],
    arms: Sequence[str],
    values: Mapping[tuple[str, str], float],
    show: Callable[[float], str],
    scale: Scale,
    table: DataTable,
    marks: Mapping[tuple[str, str], float] | None = None,
    mark: str = "",
) -> Drawing:
    """values: by (group, arm); what is missing has no bar. marks: a line across a bar, such as what was expected."""
    marks = marks or {}
    largest = max([*values.values(), *marks.values(), 0.0]) or 1.0

    def paint(figure: Figure, width: Width) -> None:
        axes = figure.subplots()
        headed = width is Width.NARROW and len(groups) > 1
        top, room = (-0.22, 0.64) if headed else (-0.4, 0.8)
        thickness = room / len(arms)
        for row, group in enumerate(groups):
            for place, arm in enumerate(arms):
                middle = row + top + thickness * (place + 0.5)
                _bar(axes, middle, thickness, place, values.get((group, arm)))
                if (group, arm) in marks:
                    at = marks[group, arm]
                    axes.plot(
                        [at, at], [middle - thickness / 2, middle + thickness / 2], color=Ink.TEXT.value
                    )
                if (group, arm) in values:
                    end = max(values[group, arm], marks.get((group, arm), 0.0))
                    axes.text(
                        end + largest * 0.018, middle, show(values[group, arm]), va="center", fontsize=8
                    )
            if headed:
                axes.text(0, row - 0.27, group, va="bottom", fontweight="bold", fontsize=8.5)
        _frame(axes, groups, largest, width)
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda x, _: wording.tick(x, scale) if x <= largest * 1.01 else "")
        )
        handles = [
            Patch(
                facecolor=arm_ink(i).value,
                hatch=_HATCHES[i % len(_HATCHES)],
                edgecolor=Ink.GRID.value,
                label=arm,
            )
            for i, arm in enumerate(arms)
        ]
        figure.legend(
            handles=handles, loc="outside upper left", ncols=3 if width is Width.WIDE else 2, fontsize=8.5
        )

    words = "; ".join(
        f"{group}: "
        + ", ".join(
            f"{arm} {show(values[group, arm])}"
            + (f" ({mark} {show(marks[group, arm])})" if (group, arm) in marks else "")
            for arm in arms
            if (group, arm) in values
        )
        for group in groups
    )

    def height(width: Width) -> float:
        each = 0.2 * len(arms) + (0.12 if width is Width.WIDE or len(groups) == 1 else 0.42)
        return 0.75 + 0.2 * ((len(arms) - 1) // (3 if width is Width.WIDE else 2)) + each * len(groups)

    return Drawing(name, title, words + ".", table, height, paint)


def _bar(axes: Axes, middle: float, thickness: float, place: int, value: float | None) -> None:
    if value is not None:
        axes.barh(
            middle,
            value,
            height=thickness * 0.88,
            color=arm_ink(place).value,
            hatch=_HATCHES[place % len(_HATCHES)],
            edgecolor=Ink.GRID.value,
            linewidth=0,
        )


def _frame(axes: Axes, groups: Sequence[str], largest: float, width: Width) -> None:
    axes.set_ylim(len(groups) - 0.45, -0.6)
    axes.set_xlim(0, largest * (1.12 if width is Width.WIDE else 1.25))
    if width is Width.WIDE:
        axes.set_yticks(range(len(groups)), labels=groups if len(groups) > 1 else [""])
        axes.tick_params(axis="y", labelcolor=Ink.TEXT.value)
    else:
        axes.set_yticks([])
    axes.xaxis.set_major_locator(round_ticks(4 if width is Width.NARROW else 6))
    axes.grid(axis="x")
    axes.set_axisbelow(True)
