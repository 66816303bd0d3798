"""The calibration table: what was promised, what was measured, and whether it holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"
LOPSIDED_BEGIN, LOPSIDED_END = "<!-- lopsided: begin -->", "<!-- lopsided: end -->"
RAMPS_BEGIN, RAMPS_END = "<!-- ramps: begin -->", "<!-- ramps: end -->"
STRATA_BEGIN, STRATA_END = "<!-- strata: begin -->", "<!-- strata: end -->"


@dataclass(frozen=True)
class Row:
    """One measured rate. low, high: the range in which it must lie; how: exact, or the number of simulations."""

    what: str
    target: str
    result: float
    low: float
    high: float
    how: str

    @property
    def holds(self) -> bool:
        """Whether the result lies in its range."""
        return self.low <= self.result <= self.high


def exactly(what: str, result: float, low: float, high: float) -> Row:
    """A rate computed without simulation."""
    return Row(what, _range(low, high), result, low, high, "exact")


def about(what: str, result: float, target: float, sims: int) -> Row:
    """A simulated rate that must lie within four binomial standard errors of its target."""
    slack = 4 * math.sqrt(target * (1 - target) / sims)
    return Row(what, f"{target:.4g}", result, target - slack, target + slack, f"{sims:,} simulations")


def at_most(what: str, result: float, limit: float, sims: int) -> Row:
    """A simulated rate that may not exceed its limit by more than four binomial standard errors."""
    slack = 4 * math.sqrt(limit * (1 - limit) / sims)
    return Row(what, f"≤ {limit:.4g}", result, 0.0, limit + slack, f"{sims:,} simulations")


def within(what: str, result: float, low: float, high: float, sims: int) -> Row:
    """A simulated number with a stated range."""
    return Row(what, _range(low, high), result, low, high, f"{sims:,} simulations")


def markdown(rows: list[Row]) -> str:
    """The rows as a table."""
    lines = ["| what | target | result | holds | how |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.what} | {row.target} | {row.result:.4f} | {'yes' if row.holds else '**no**'} | {row.how} |"
        for row in rows
    ]
    return "\n".join(lines)


def write(table: str, document: Path = DOCUMENT, begin: str = BEGIN, end: str = END) -> None:
    """Put a table between its markers; ValueError where the document has none."""
    text = document.read_text()
    if begin not in text or end not in text:
        raise ValueError(f"{document.name}: the markers {begin} and {end} are missing")
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    document.write_text(f"{before}{begin}\n{table}\n{end}{after}")


def _range(low: float, high: float) -> str:
    if low <= 0:
        return f"≤ {high:.4g}"
    return f"≥ {low:.4g}" if high >= 1 else f"{low:.4g} to {high:.4g}"
