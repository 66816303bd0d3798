"""What decides on a unit's variant, with every bound worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neonblue.bucketing.allocation import FULL_ALLOCATION, allocation_bound, variant_ranges
from neonblue.bucketing.hashing import BUCKETS
from neonblue.bucketing.targeting import Targeting


@dataclass(frozen=True, slots=True)
class LayerSlot:
    """An experiment's part of a layer: basis points [start, end) of the layer's traffic.

    Experiments of one layer have its salt in common and parts that do not overlap: no unit is in two.
    """

    salt: str
    start: int
    end: int
    bounds: tuple[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_salt(self.salt)
        if not 0 <= self.start < self.end <= FULL_ALLOCATION:
            raise ValueError(
                f"layer: needs 0 <= start < end <= {FULL_ALLOCATION}, got {self.start}, {self.end}"
            )
        object.__setattr__(self, "bounds", (allocation_bound(self.start), allocation_bound(self.end)))


@dataclass(frozen=True, slots=True)
class Holdout:
    """A share of all traffic, in basis points, that sees no experiment."""

    salt: str
    share: int
    bound: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_salt(self.salt)
        object.__setattr__(self, "bound", allocation_bound(self.share))


@dataclass(frozen=True, slots=True)
class Configuration:
    """What an assignment depends on. `weights`: variant keys with their weights, in the variants' order.

    dropped: variants whose range stays where it is and enrols nobody. forced: variants of testers, by the
    tester's bucket for that purpose, so that a copy of the configuration names no one. outside: the variant of units
    that are left out; None: they get none. closed: the variant of all that are not stored, while no new unit enters;
    None: enrolment is open. holders: of each variant the share of units whom salt, allocation and weights give it, as a
    number of `BUCKETS`.
    """

    salt: str
    allocation: int
    weights: tuple[tuple[str, int], ...]
    layer: LayerSlot | None = None
    holdouts: tuple[Holdout, ...] = ()
    targeting: Targeting | None = None
    dropped: frozenset[str] = frozenset()
    forced: Mapping[int, str] = field(default_factory=dict, hash=False)
    outside: str | None = None
    closed: str | None = None
    bound: int = field(init=False, repr=False, compare=False)
    starts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    holders: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_salt(self.salt)
        object.__setattr__(self, "bound", allocation_bound(self.allocation))
        ranges = variant_ranges(self.weights)
        object.__setattr__(self, "starts", tuple(item.start for item in ranges))
        holders = {item.key: self.bound * (item.end - item.start) // BUCKETS for item in ranges}
        object.__setattr__(self, "holders", holders)


def _check_salt(salt: str) -> None:
    if ":" in salt or not salt:
        raise ValueError("salt: must be a text without a colon")
