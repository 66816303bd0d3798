"""Numbers as a report writes them: those of `neonblue.statistics.numbers`, in a metric's scale."""

from __future__ import annotations

from neonblue.findings.effect import Scale
from neonblue.statistics.experiment.wording import VERDICTS
from neonblue.statistics.numbers import (
    MINUS,
    NONE,
    UNBOUNDED,
    change_interval,
    count,
    level,
    number,
    p_value,
    points,
    share,
    true_minus,
)

__all__ = [
    "MINUS",
    "NONE",
    "UNBOUNDED",
    "VERDICTS",
    "change_interval",
    "count",
    "difference",
    "interval",
    "level",
    "number",
    "p_value",
    "share",
    "tick",
    "true_minus",
]


def tick(value: float, scale: Scale, *, sign: bool = False, suffix: str = " %") -> str:
    """A number on an axis: no more digits than it needs."""
    shown = 100 * value if scale is Scale.SHARE else value
    if abs(shown) < 1e-9:
        return "0"
    text = f"{float(f'{shown:.4g}'):{'+' if sign else ''},.12f}".rstrip("0").rstrip(".")
    return text.replace("-", MINUS) + (suffix if scale is Scale.SHARE else "")


def difference(amount: float | None, scale: Scale) -> str:
    """A difference of values, shares in percentage points."""
    return points(amount) if scale is Scale.SHARE else number(amount, sign=True)


def interval(lower: float | None, upper: float | None, scale: Scale) -> str:
    """Both ends; an end without bound is named so."""
    if lower is None and upper is None:
        return NONE
    low, high = (UNBOUNDED if bound is None else difference(bound, scale) for bound in (lower, upper))
    return f"{low} to {high}"
