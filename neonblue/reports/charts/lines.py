"""One line for each arm over days."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from neonblue.reports import wording
from neonblue.reports.drawing import DataTable, Drawing, Width, round_ticks
from neonblue.reports.model import Scale
from neonblue.reports.palette import arm_ink, arm_line, arm_marker


def lines(
    name: str,
    title: str,
    alternative: str,
    arms: Sequence[str],
    points: Mapping[str, Sequence[tuple[float, float]]],
    scale: Scale,
    table: DataTable,
    dress: Callable[[Figure, Width], None],
) -> Drawing:
    """points: (x, y) by arm, x ascending. dress: sets the x axis of the figure's only axes."""

    def paint(figure: Figure, width: Width) -> None:
        axes = figure.subplots()
        for place, arm in enumerate(arms):
            pairs = points.get(arm, ())
            axes.plot(
                [x for x, _ in pairs],
                [y for _, y in pairs],
                color=arm_ink(place).value,
                linestyle=arm_line(place),
                marker=arm_marker(place) if len(pairs) <= 16 else "",
                markersize=4,
                linewidth=1.8,
                label=arm,
            )
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(round_ticks(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: wording.tick(y, scale)))
        axes.grid(axis="y")
        figure.legend(loc="outside upper left", ncols=3 if width is Width.WIDE else 2, fontsize=8.5)
        dress(figure, width)

    return Drawing(name, title, alternative, table, lambda width: 2.6 if width is Width.WIDE else 2.5, paint)
