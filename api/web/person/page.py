"""What a person's page shows: what it is in, what is known of it, what it would get. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from api.assignments.schemas import AnsweredNow, PersonAssignment, PersonAssignments
from api.users.schemas import UserOut
from neonblue.bucketing import Reason, ServedBy
from neonblue.contract.requests import DEFAULT_UNIT_TYPE
from neonblue.statistics import numbers
from neonblue.texts import plain

_STORED = {
    "assigned": "assigned by the hash",
    "linked": "taken over from a linked id",
    "imported": "given by another system",
}
WHY = {
    Reason.FORCED: "forced: it is a tester",
    Reason.ENROLMENT_CLOSED: "enrolment is closed",
    Reason.HOLDOUT: "held out",
    Reason.NOT_TARGETED: "not targeted",
    Reason.NOT_IN_LAYER: "outside its slots of the layer",
    Reason.NOT_IN_ALLOCATION: "outside its share of the traffic",
    Reason.DROPPED_ARM: "its arm was dropped",
    Reason.ASSIGNED: "by the hash",
    Reason.DRAFT: "it is a draft",
    Reason.NOT_STARTED: "it has not started",
    Reason.PAUSED: "it is paused: everybody gets the control",
    Reason.CONCLUDED: "it is concluded",
    Reason.RELEASED: "released",
    Reason.NOT_IN_RELEASE: "outside the share of the release",
    Reason.ARCHIVED: "it is archived",
}
"""In words: why a variant, or none, is answered."""
_DOTS = frozenset({".", ".."})


@dataclass(frozen=True, slots=True)
class Address:
    """A person as it stands in an address of the pages."""

    user_id: str
    unit_type: str

    @property
    def can_stand(self) -> bool:
        """Whether a browser asks for it as it is: it leaves one dot out, and two lead it a folder up."""
        return self.user_id not in _DOTS

    def below(self, place: str) -> str:
        """The person at the end of a path: an id may end in anything, so nothing stands behind it."""
        return f"{place}/{quote(self.user_id, safe='')}?{urlencode({'unit_type': self.unit_type})}"

    @property
    def page(self) -> str:
        """Everything that is told of it."""
        return self.below("/users")

    @property
    def export(self) -> str:
        """The file."""
        return self.below("/exports")

    @property
    def erasure(self) -> str:
        """The form that erases it."""
        return self.below("/erasures/of")


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The form by which a person is looked up. error: why it can't be, and which field says so."""

    user_id: str = ""
    unit_type: str = DEFAULT_UNIT_TYPE
    error: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Met:
    """A variant that the person met first at this time."""

    variant: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Row:
    """One experiment, or what was decided of one. variant: the stored one, empty without one.

    now: what would be answered, empty for nothing; now_note: why. warning: what is wrong with it, or empty.
    """

    experiment: str
    status: str
    variant: str
    why: str
    since: datetime | None
    version: int | None
    met: tuple[Met, ...]
    now: str
    now_note: str
    payload: str
    warning: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What one experiment would answer with other attributes. is_same: as what it answers now."""

    experiment: str
    variant: str
    why: str
    is_same: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """The form of a trial, and what came of it. text: the attributes as they were typed. rows: None: none was made."""

    text: str
    error: str = ""
    rows: tuple[Tried, ...] | None = None

    @property
    def changed(self) -> int:
        """How many answers are not as they are now."""
        return sum(not row.is_same for row in self.rows or ())


@dataclass(frozen=True, slots=True)
class PersonPage:
    """Everything that the platform says of one person. is_known: whether anything is held on it."""

    address: Address
    is_known: bool
    lede: str
    known_since: datetime | None
    linked_to: str
    rows: tuple[Row, ...]
    attributes: tuple[tuple[str, str], ...]
    trial: Trial


@dataclass(frozen=True, slots=True)
class ErasePage:
    """What stands before an erasure. linked_to: whose id it is, where it is an anonymous one; experiments: how many it
    is in. typed, error: the id as it was typed, and what is wrong with it."""

    address: Address
    experiments: int
    linked_to: str
    typed: str = ""
    error: str = ""


def person_page(
    address: Address,
    everything: PersonAssignments | None,
    user: UserOut | None,
    trial: Trial | None = None,
) -> PersonPage:
    """everything, user: None where nothing of the kind is held."""
    items = () if everything is None else tuple(everything.items)
    known = {} if user is None else user.attributes
    return PersonPage(
        address=address,
        is_known=everything is not None or user is not None,
        lede=_lede(items),
        known_since=None if user is None else user.created_at,
        linked_to="" if everything is None else everything.linked_to or "",
        rows=tuple(_row(item) for item in items),
        attributes=tuple((name, as_json(value)) for name, value in sorted(known.items())),
        trial=trial or Trial(as_json(known, indent=1)),
    )


def tried_rows(
    trial: PersonAssignments, known: PersonAssignments, held: PersonAssignments | None
) -> tuple[Tried, ...]:
    """Those that change first. known: a trial by the attributes that are known. held: what the person is in."""
    before = {item.experiment: item.now for item in (*known.items, *(() if held is None else held.items))}
    rows = [_tried(item, before.get(item.experiment)) for item in trial.items]
    return tuple(sorted(rows, key=lambda row: row.is_same))


def erase_page(
    address: Address, everything: PersonAssignments | None, typed: str = "", error: str = ""
) -> ErasePage:
    """everything: None where no assignment, link or attribute is held; events may be."""
    if everything is None:
        return ErasePage(address, 0, "", typed, error)
    stored = sum(item.variant_key is not None for item in everything.items)
    return ErasePage(address, stored, everything.linked_to or "", typed, error)


def as_json(value: Any, indent: int | None = None) -> str:
    """As people read it."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _lede(items: tuple[PersonAssignment, ...]) -> str:
    if not items:
        return "No experiment and no release gives it a variant."
    stored = sum(item.variant_key is not None for item in items)
    met = sum(bool(item.exposures) for item in items)
    released = sum(item.now is not None and item.now.served_by == ServedBy.RELEASE for item in items)
    parts = [f"Has a variant in {_counted(stored, 'experiment')}, and met it in {numbers.count(met)}."]
    if released:
        parts.append(f"{_counted(released, 'release')} {'gives' if released == 1 else 'give'} it a variant.")
    return " ".join(parts)


def _counted(number: int, word: str) -> str:
    return f"{numbers.count(number)} {word}{'' if number == 1 else 's'}"


def _row(item: PersonAssignment) -> Row:
    now = item.now
    return Row(
        experiment=item.experiment,
        status=item.experiment_status,
        variant=item.variant_key or "",
        why=_STORED.get(item.reason or "", plain(item.reason)),
        since=item.assigned_at,
        version=item.version,
        met=tuple(Met(exposure.variant_key, exposure.first_at) for exposure in item.exposures),
        now="" if now is None else now.variant_key or "",
        now_note=_note(item, now),
        payload="" if now is None or now.payload is None else as_json(now.payload, indent=1),
        warning="its ids have different variants: it is left out of the analysis"
        if item.several_variants
        else "",
    )


def _note(item: PersonAssignment, now: AnsweredNow | None) -> str:
    if now is None:
        return f"it is {item.experiment_status}: nothing is answered"
    if item.variant_key and now.variant_key == item.variant_key and now.served_by == ServedBy.EXPERIMENT:
        return "the same" if now.reason != Reason.FORCED else WHY[Reason.FORCED]
    return _why(now)


def _tried(item: PersonAssignment, before: AnsweredNow | None) -> Tried:
    now = item.now
    same = (None if now is None else now.variant_key) == (None if before is None else before.variant_key)
    why = f"it is {item.experiment_status}" if now is None else _why(now)
    return Tried(item.experiment, "" if now is None else now.variant_key or "", why, same)


def _why(now: AnsweredNow) -> str:
    words: Mapping[str, str] = {reason.value: text for reason, text in WHY.items()}
    return words.get(now.reason or "", plain(now.reason))
