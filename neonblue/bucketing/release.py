"""Who gets a released variant first: those who had it, then the others, each in the order of a hash of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from neonblue.bucketing.allocation import FULL_ALLOCATION, allocation_bound
from neonblue.bucketing.configuration import Configuration
from neonblue.bucketing.evaluation import variant_of
from neonblue.bucketing.hashing import BUCKETS, Purpose, bucket


class Population(StrEnum):
    """Of whom a release's share is: those whom the experiment's targeting means, or all."""

    TARGETED = "targeted"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Release:
    """What was decided: a variant for a share of the population, in basis points."""

    variant_key: str
    share: int = FULL_ALLOCATION
    population: str = Population.TARGETED
    bound: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bound", allocation_bound(self.share))


def had_variant(configuration: Configuration, variant_key: str, unit_id: str) -> bool:
    """Whether salt, allocation and weights gave the unit this variant; targeting, layer and holdouts aside."""
    if bucket(configuration.salt, Purpose.ROLLOUT, unit_id) >= configuration.bound:
        return False
    return variant_of(configuration, unit_id) == variant_key


def position(configuration: Configuration, variant_key: str, unit_id: str) -> int:
    """The unit's place in the order of the release, 0 to `BUCKETS` - 1: it has the variant below the share's bound.

    With h holders' buckets and the unit's bucket r for this purpose: a holder has the place r h / 2^64, anybody else
    h + r (2^64 - h) / 2^64, rounded down. So the places of all units are uniform, every holder is before every other,
    and a bound that grows takes the variant from nobody. Raises KeyError where there is no such variant.
    """
    own = bucket(configuration.salt, Purpose.RELEASE, unit_id)
    first = configuration.holders[variant_key]
    if had_variant(configuration, variant_key, unit_id):
        return own * first // BUCKETS
    return first + own * (BUCKETS - first) // BUCKETS


def reaches(configuration: Configuration, release: Release, unit_id: str) -> bool:
    """Whether the release's share has come to the unit."""
    if release.share == FULL_ALLOCATION:
        return True
    return position(configuration, release.variant_key, unit_id) < release.bound
