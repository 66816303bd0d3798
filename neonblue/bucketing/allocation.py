"""Allocation and weights as exact integer ranges of buckets: no floating point, no gap, no overlap."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from neonblue.bucketing.hashing import BUCKETS, Purpose, bucket

FULL_ALLOCATION = 10_000
"""All traffic, in basis points."""


@dataclass(frozen=True, slots=True)
class VariantRange:
    """Buckets from `start` up to, not including, `end` belong to the variant."""

    key: str
    start: int
    end: int


def allocation_bound(allocation: int) -> int:
    """Rollout buckets below it are in the experiment. `allocation` is in basis points, 0 to 10,000.

    A larger allocation has a larger bound, so growing it keeps every unit that was in.
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


@dataclass(frozen=True, slots=True)
class Configuration:
    """What an assignment depends on. `weights`: variant keys with their weights, in the variants' order."""

    salt: str
    allocation: int
    weights: tuple[tuple[str, int], ...]
    bound: int = field(init=False, repr=False, compare=False)
    starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if ":" in self.salt or not self.salt:
            raise ValueError("salt: must be a text without a colon")
        object.__setattr__(self, "bound", allocation_bound(self.allocation))
        starts = tuple(item.start for item in variant_ranges(self.weights))
        object.__setattr__(self, "starts", starts)


def assign(configuration: Configuration, unit_id: str) -> str | None:
    """The unit's variant; None for a unit outside the allocation."""
    if bucket(configuration.salt, Purpose.ROLLOUT, unit_id) >= configuration.bound:
        return None
    position = bisect_right(configuration.starts, bucket(configuration.salt, Purpose.VARIANT, unit_id)) - 1
    return configuration.weights[position][0]
