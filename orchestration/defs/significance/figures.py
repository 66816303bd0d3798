"""The lifts as a picture. Imported where it is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from neonblue.statistics.numbers import level
from orchestration.defs.significance.analysis import ResultRow
from orchestration.figures import COLOURS, NOTHING, image

_MOST_ROWS = 40


def forest_plot(rows: Sequence[ResultRow]) -> str:
    """The relative lifts with their intervals, as far as there are any."""
    shown = [row for row in rows if row.relative_lift is not None][:_MOST_ROWS]
    if not shown:
        return NOTHING
    figure = Figure(figsize=(8, 0.8 + 0.32 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(reversed(shown)):
        lift = row.relative_lift or 0.0
        low = lift if row.relative_ci_low is None else row.relative_ci_low
        high = lift if row.relative_ci_high is None else row.relative_ci_high
        axes.plot([low * 100, high * 100], [place, place], color=COLOURS[row.verdict], linewidth=2)
        axes.plot([lift * 100], [place], "o", color=COLOURS[row.verdict])
    axes.axvline(0, color="#57606a", linewidth=1)
    names = [
        f"{row.experiment_key} · {row.metric_key} · {row.variant_key} · {level(row.level)}"
        for row in reversed(shown)
    ]
    axes.set_yticks(range(len(shown)), names)
    axes.set_xlabel("relative lift, %, with its interval at the level beside its name")
    return image(figure, "Relative lifts with their intervals, treatment against control")
