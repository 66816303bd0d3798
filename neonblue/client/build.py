"""Building an event from the arguments of `track`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypedDict, Unpack
from uuid import UUID

from neonblue.client.local import LocalAssignment
from neonblue.client.messages import Assignment, NewAssignment, NewEvent
from neonblue.contract.identifiers import uuid7


class EventFields(TypedDict, total=False):
    """What `track` takes beside type and unit; see `NewEvent`, whose fields these are."""

    experiment: str
    experiment_id: int | None
    variant_key: str
    configuration_version: int
    unit_type: str
    session_id: str
    app_version: str
    value: Decimal | float | str
    properties: dict[str, object]
    timestamp: datetime
    id: UUID | str


def new_event(event_type: str, user_id: str, fields: EventFields) -> NewEvent:
    """An event of now, with an id of its own unless given. A float is rounded to six places, as stored.

    Raises ValueError for a time without a zone and a value that is no finite number.
    """
    timestamp = fields.get("timestamp") or datetime.now(UTC)
    if timestamp.tzinfo is None:
        raise ValueError("timestamp: must have a time zone")
    milliseconds = max(0, int(timestamp.timestamp() * 1000))
    given: dict[str, Any] = dict(fields) | {
        "id": str(fields.get("id") or uuid7(milliseconds)),
        "timestamp": timestamp.astimezone(UTC),
        "value": _decimal(fields.get("value")),
    }
    return NewEvent(user_id=user_id, event_type=event_type, **given)


def exposure_fields(assignment: Assignment | LocalAssignment, unit_type: str | None = None) -> EventFields:
    """What the exposure to a variant carries, so that the assignment is stored with it unless one exists."""
    fields: EventFields = {"experiment": assignment.experiment}
    if assignment.variant_key is not None and assignment.version is not None:
        fields["variant_key"] = assignment.variant_key
        fields["configuration_version"] = assignment.version
    if unit_type is not None:
        fields["unit_type"] = unit_type
    return fields


def unstored(item: NewAssignment, answers: Sequence[Assignment]) -> list[Assignment]:
    """Those of a request's answers whose exposure the API was to store and could not."""
    if item.expose is False or (item.expose is None and item.experiment is None):
        return []
    return [
        answer
        for answer in answers
        if not answer.durable and answer.variant_key is not None and answer.in_experiment
    ]


def event_of(event_type: str, user_id: str, **fields: Unpack[EventFields]) -> NewEvent:
    """As `new_event`, from keyword arguments."""
    return new_event(event_type, user_id, fields)


def _decimal(value: Decimal | float | str | None) -> Decimal | None:
    if value is None:
        return None
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"value: must be a finite number, got {value!r}")
    return Decimal(f"{number:.6f}") if isinstance(value, float) else Decimal(f"{number:f}")
