"""How long to wait before a next try."""

from __future__ import annotations

FIRST_DELAY = 0.25
LONGEST_DELAY = 15.0
_DOUBLED = 64
"""Past so many times a number of seconds has no meaning, and soon none that can be computed."""


def backoff(failures: int, first: float = FIRST_DELAY, longest: float = LONGEST_DELAY) -> float:
    """Seconds to wait before the next try after `failures` (≥ 1) in a row: `first`, then twice as long each time."""
    return min(longest, first * 2.0 ** min(failures - 1, _DOUBLED))
