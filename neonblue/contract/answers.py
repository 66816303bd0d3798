"""What the API answers, item by item."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

from neonblue.contract.violation import Violation


class Status(StrEnum):
    """What became of one item of a request."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class EventItem(Struct, omit_defaults=True, gc=False):
    """What became of one event; `index` is its place in the request."""

    index: int
    id: str | None
    status: Status
    code: str | None = None
    field: str | None = None
    message: str | None = None

    @classmethod
    def rejected(cls, index: int, identifier: str | None, violation: Violation) -> EventItem:
        return cls(index, identifier, Status.REJECTED, violation.code, violation.field, violation.message)


class EventsAnswer(Struct, frozen=True):
    """The answer of `POST /v1/events`."""

    accepted: int
    duplicates: int
    rejected: int
    items: list[EventItem]


class AssignmentAnswer(Struct, omit_defaults=True, kw_only=True):
    """The answer on one unit. A null `variant_key`: it gets none, `reason` says why.

    `in_experiment` (true where absent): whether the experiment itself gives the variant. Where false, nothing is stored
    and using the variant is no exposure; `served_by` (the experiment where absent) says what gives it: `release`, which
    was decided, or `control`, which those get whom the experiment leaves out, and all while it does not run.

    `payload`: the variant's. `durable` (true where absent): what the call was to store is stored; where false, send
    the exposure as an event with this variant and version, again and again until it is stored.
    """

    experiment: str
    user_id: str
    experiment_id: int | None
    variant_key: str | None
    version: int | None
    assigned_at: str | None
    created: bool
    reason: str | None = None
    payload: Any = None
    served_by: str | None = None
    in_experiment: bool = True
    durable: bool = True
    status: Status | None = None
    index: int | None = None
    code: str | None = None
    field: str | None = None
    message: str | None = None


class AssignmentsAnswer(Struct, frozen=True):
    """The answer on many units, in their order."""

    items: list[AssignmentAnswer]
