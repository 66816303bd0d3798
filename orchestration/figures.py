"""Small pictures for Dagster's page, as Markdown images that hold their own data. Imported where one is drawn."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from neonblue.statistics.numbers import level

if TYPE_CHECKING:
    from orchestration.defs.calibration.randomization import Rate
    from orchestration.defs.significance.analysis import ResultRow

_COLOURS = {"better": "#1a7f37", "worse": "#c0392b", "undecided": "#57606a", "unknown": "#57606a"}
_MOST_ROWS = 40
_NOTHING = "There is nothing to draw yet."


def forest_plot(rows: Sequence[ResultRow]) -> str:
    """The relative lifts with their intervals, as far as there are any."""
    shown = [row for row in rows if row.relative_lift is not None][:_MOST_ROWS]
    if not shown:
        return _NOTHING
    figure = Figure(figsize=(8, 0.8 + 0.32 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(reversed(shown)):
        lift = row.relative_lift or 0.0
        low = lift if row.relative_ci_low is None else row.relative_ci_low
        high = lift if row.relative_ci_high is None else row.relative_ci_high
        axes.plot([low * 100, high * 100], [place, place], color=_COLOURS[row.verdict], linewidth=2)
        axes.plot([lift * 100], [place], "o", color=_COLOURS[row.verdict])
    axes.axvline(0, color="#57606a", linewidth=1)
    names = [
        f"{row.experiment_key} · {row.metric_key} · {row.variant_key} · {level(row.level)}"
        for row in reversed(shown)
    ]
    axes.set_yticks(range(len(shown)), names)
    axes.set_xlabel("relative lift, %, with its interval at the level beside its name")
    return image(figure, "Relative lifts with their intervals, treatment against control")


def rates_plot(rates: Mapping[str, Rate]) -> str:
    """The rates of p < 0.05 of tests between arms that were drawn at random, with their bounds."""
    if not rates:
        return _NOTHING
    figure = Figure(figsize=(8, 0.8 + 0.32 * len(rates)), layout="constrained")
    axes = figure.add_subplot()
    for place, rate in enumerate(reversed(list(rates.values()))):
        colour = _COLOURS["undecided" if rate.calibrated else "worse"]
        axes.plot([rate.lower, rate.upper], [place, place], color=colour, linewidth=2)
        axes.plot([rate.value], [place], "o", color=colour)
    axes.axvline(0.05, color="#57606a", linewidth=1)
    axes.set_yticks(range(len(rates)), list(reversed(list(rates))))
    axes.set_xlabel("share of tests with p < 0.05")
    return image(figure, "Rates of p < 0.05 between arms drawn at random, with their bounds")


def image(figure: Figure, alternative: str) -> str:
    """The figure as a Markdown image."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return f"![{alternative}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"
