"""Shares of traffic and weights as exact integer ranges of buckets: no floating point, no gap, no overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neonblue.bucketing.hashing import BUCKETS

FULL_ALLOCATION = 10_000
"""All traffic, in basis points."""


@dataclass(frozen=True, slots=True)
class VariantRange:
    """Buckets from `start` up to, not including, `end` belong to the variant."""

    key: str
    start: int
    end: int


def allocation_bound(allocation: int) -> int:
    """Buckets below it are a share of `allocation` basis points, 0 to 10,000.

    A larger share has a larger bound, so growing it keeps every unit that was in.
    """
    if not 0 <= allocation <= FULL_ALLOCATION:
        raise ValueError(f"allocation: must be 0 to {FULL_ALLOCATION} basis points, got {allocation}")
    return allocation * BUCKETS // FULL_ALLOCATION


def variant_ranges(weights: Sequence[tuple[str, int]]) -> list[VariantRange]:
    """The range of each variant, in the given order; together they cover every bucket exactly once."""
    total = sum(weight for _, weight in weights)
    if not weights or any(weight <= 0 for _, weight in weights):
        raise ValueError("weights: every variant needs a weight of at least 1")
    ranges: list[VariantRange] = []
    below = 0
    for key, weight in weights:
        ranges.append(VariantRange(key, below * BUCKETS // total, (below + weight) * BUCKETS // total))
        below += weight
    return ranges
