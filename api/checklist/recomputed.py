"""Whether stored variants are those that the hash gives: worked out anew, and what differs by its kind. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from neonblue.bucketing import Configuration, variant_of


class Kind(StrEnum):
    """Why a stored variant is another one than the hash gives, in this order."""

    IMPORT = "import"
    LINK = "link"
    FORCED = "forced"
    OLDER_VERSION = "older_version"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class StoredUnit:
    """A stored assignment, with the version that it entered under."""

    user_id: str
    variant_key: str
    version: int


@dataclass(frozen=True, slots=True)
class Recomputed:
    """units: those looked at; whole: whether these are all. differing: of them, by kind, where there are any."""

    units: int
    whole: bool
    differing: Mapping[Kind, int] = field(default_factory=dict)

    @property
    def unexplained(self) -> int:
        return self.differing.get(Kind.UNEXPLAINED, 0)


@dataclass(frozen=True, slots=True)
class Explanations:
    """What may explain a unit that differs.

    linked: the anonymous ids of a person: it takes over what one of them was given. forced: variants of testers.
    versions: the division of the units in former versions.
    """

    linked: Mapping[str, Sequence[str]] = field(default_factory=dict)
    forced: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[int, Configuration] = field(default_factory=dict)


def differing(stored: Sequence[StoredUnit], present: Configuration) -> list[StoredUnit]:
    """Those whose variant is another one than the present configuration's hash gives."""
    return [unit for unit in stored if variant_of(present, unit.user_id) != unit.variant_key]


def explained(
    units: Sequence[StoredUnit], present: Configuration, by: Explanations, *, imported: bool = False
) -> dict[Kind, int]:
    """The units by the first kind that explains them. imported: their variants were given elsewhere."""
    found: dict[Kind, int] = {}
    for unit in units:
        kind = Kind.IMPORT if imported else _kind(unit, present, by)
        found[kind] = found.get(kind, 0) + 1
    return found


def _kind(unit: StoredUnit, present: Configuration, by: Explanations) -> Kind:
    former = by.versions.get(unit.version, present)
    ids = by.linked.get(unit.user_id, ())
    if any(unit.variant_key in (variant_of(present, own), variant_of(former, own)) for own in ids):
        return Kind.LINK
    if by.forced.get(unit.user_id) == unit.variant_key:
        return Kind.FORCED
    return Kind.OLDER_VERSION if variant_of(former, unit.user_id) == unit.variant_key else Kind.UNEXPLAINED
