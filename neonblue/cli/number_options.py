"""What the numbers of options may be, where both ends of a range are not part of it."""

from __future__ import annotations

from collections.abc import Callable

import typer

LARGEST = 1e15
"""Of any amount: squares of it, times units, are still numbers."""
MOST_UNITS = 10**12
MOST_LOOKS = 100
"""Boundaries take time with the square of their number; by then a confidence sequence is what is wanted."""
A_DAY_OF_SECONDS = 86_400.0
LARGEST_SEED = 2**63 - 1


def share(value: float | None) -> float | None:
    """Inside (0, 1)."""
    return _checked(value, lambda number: 0 < number < 1, "it must lie between 0 and 1, such as 0.05")


def amount(value: float | None) -> float | None:
    """Above zero."""
    return _checked(
        value, lambda number: 0 < number <= LARGEST, f"it must be above 0 and at most {LARGEST:.0e}"
    )


def level(value: float | None) -> float | None:
    """A percentile above the median."""
    return _checked(value, lambda number: 50 < number <= 100, "it must be above 50 and at most 100")


def correlation(value: float) -> float | None:
    """Inside (-1, 1)."""
    return _checked(value, lambda number: -1 < number < 1, "it must lie between -1 and 1")


def earlier_looks(values: list[float] | None) -> list[float] | None:
    """Shares of the planned units, each once."""
    for value in values or ():
        share(value)
    if values and (len(values) >= MOST_LOOKS or len(set(values)) < len(values)):
        raise typer.BadParameter(f"each look is given once, and there are at most {MOST_LOOKS - 1}")
    return values


def _checked(value: float | None, holds: Callable[[float], bool], rule: str) -> float | None:
    if value is not None and not holds(value):
        raise typer.BadParameter(f"{value:g}: {rule}")
    return value
