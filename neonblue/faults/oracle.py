"""Whether what the clients were told is what the stores hold. Pure.

Ids are compared, not counts. What is stored without an answer is allowed only where a request had no answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from neonblue.faults.notes import Notes, Unit


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as a store has it. `copies`: rows of this id. `by_api`: the API itself made it, such as an exposure."""

    owner: str
    value: Decimal = Decimal(0)
    copies: int = 1
    key: str = ""
    by_api: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """One store's events by id, and the variants that it has of each unit."""

    events: Mapping[str, StoredEvent]
    variants: Mapping[Unit, frozenset[str]]


@dataclass(slots=True)
class Findings:
    """What is wrong, by id or in a sentence. Empty: nothing is.

    lost: acknowledged, not in PostgreSQL. missing: in PostgreSQL, not in ClickHouse. doubled: more than one row of an
    id, in either. unexplained: stored, and neither acknowledged nor of a request without an answer. unexpected: in
    ClickHouse alone. altered: the two have other content. moved: a unit was told, or is stored with, another variant.
    revived: of an erased person, and still there. wrong: answers that no fault excuses.
    """

    lost: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    unexplained: set[str] = field(default_factory=set)
    unexpected: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    revived: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return any(self.counts().values())

    def counts(self) -> dict[str, int]:
        """How many there are of each."""
        return {name: len(getattr(self, name)) for name in self.__slots__}

    def less(self, known: Findings) -> Findings:
        """What is found here and was not known before."""
        return Findings(**{name: getattr(self, name) - getattr(known, name) for name in self.__slots__})

    def add(self, more: Findings) -> None:
        """Know these as well."""
        for name in self.__slots__:
            getattr(self, name).update(getattr(more, name))


def compare(before: Notes, after: Notes, accepted: Stored, present: Stored) -> Findings:
    """Compare what was told with PostgreSQL (`accepted`) and ClickHouse (`present`).

    before, after: the notes from before and from after the stores were read. What was told before must be stored;
    what is stored must have been sent by the time after.
    """
    return Findings(
        lost={one for one in before.due() if after.owners.get(one) not in after.erased}
        - set(accepted.events),
        missing=_missing(after, accepted, present),
        doubled=_doubled(after, accepted) | {one for one, row in present.events.items() if row.copies > 1},
        unexplained=_unexplained(after, accepted),
        unexpected={
            one
            for one, row in present.events.items()
            if one not in accepted.events and row.owner not in after.erased
        },
        altered={
            one
            for one, row in present.events.items()
            if one in accepted.events
            and (row.owner, row.value) != (accepted.events[one].owner, accepted.events[one].value)
        },
        moved=_moved(before, after, accepted, present),
        revived=_revived(before, accepted, present),
        wrong=set(after.wrong),
    )


def _missing(notes: Notes, accepted: Stored, present: Stored) -> set[str]:
    """Events and assignments that PostgreSQL has and ClickHouse has not."""
    events = {
        one
        for one, row in accepted.events.items()
        if one not in present.events and row.owner not in notes.erased
    }
    units = {
        _name(unit)
        for unit in accepted.variants
        if unit not in present.variants and unit[1] not in notes.erased
    }
    return events | units


def _doubled(notes: Notes, accepted: Stored) -> set[str]:
    by_key: dict[str, int] = {}
    for row in accepted.events.values():
        if row.key in notes.keys:
            by_key[row.key] = by_key.get(row.key, 0) + row.copies
    return {one for one, row in accepted.events.items() if row.copies > 1} | {
        key for key, count in by_key.items() if count > notes.keys[key]
    }


def _unexplained(notes: Notes, accepted: Stored) -> set[str]:
    return {
        one
        for one, row in accepted.events.items()
        if not row.by_api
        and one not in notes.acknowledged
        and one not in notes.sent
        and row.key not in notes.keys
    }


def _moved(before: Notes, after: Notes, accepted: Stored, present: Stored) -> set[str]:
    found = {
        f"{_name(unit)} was told {_list(told)}" for unit, told in after.answered.items() if len(told) > 1
    }
    for unit, variant in before.stored_answers.items():
        if unit[1] in after.erased:
            continue
        for name, store in (("PostgreSQL", accepted), ("ClickHouse", present)):
            # One that ClickHouse lacks is missing, and counted there.
            have = store.variants.get(unit, frozenset() if store is accepted else frozenset({variant}))
            if have != {variant}:
                found.add(f"{_name(unit)} was told {variant}, {name} has {_list(have) or 'none'}")
    for unit, variants in present.variants.items():
        if len(variants) > 1:
            found.add(f"{_name(unit)} has {_list(variants)} in ClickHouse")
    for one, other in after.pairs:
        told = {after.stored_answers[unit] for unit in (one, other) if unit in after.stored_answers}
        if len(told) > 1:
            found.add(f"{_name(one)}, linked to {other[1]}, was told {_list(told)}")
    return found


def _revived(notes: Notes, accepted: Stored, present: Stored) -> set[str]:
    """What is left of persons whose erasure was answered."""
    return {
        one
        for store in (accepted, present)
        for one, row in store.events.items()
        if row.owner in notes.erasures_answered
    }


def _name(unit: Unit) -> str:
    return f"{unit[0]}/{unit[1]}"


def _list(variants: Collection[str]) -> str:
    return ", ".join(sorted(variants))
