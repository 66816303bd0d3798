"""The error rates as a picture. Imported where it is drawn."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from orchestration.defs.calibration.randomization import Rate
from orchestration.figures import COLOURS, NOTHING, image


def rates_plot(rates: Mapping[str, Rate]) -> str:
    """The rates of p < 0.05 of tests between arms that were drawn at random, with their bounds."""
    if not rates:
        return NOTHING
    figure = Figure(figsize=(8, 0.8 + 0.32 * len(rates)), layout="constrained")
    axes = figure.add_subplot()
    for place, rate in enumerate(reversed(list(rates.values()))):
        colour = COLOURS["undecided" if rate.calibrated else "worse"]
        axes.plot([rate.lower, rate.upper], [place, place], color=colour, linewidth=2)
        axes.plot([rate.value], [place], "o", color=colour)
    axes.axvline(0.05, color="#57606a", linewidth=1)
    axes.set_yticks(range(len(rates)), list(reversed(list(rates))))
    axes.set_xlabel("share of tests with p < 0.05")
    return image(figure, "Rates of p < 0.05 between arms drawn at random, with their bounds")
