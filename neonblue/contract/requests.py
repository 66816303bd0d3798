"""What clients send: one event, one request for an assignment."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, Struct

from neonblue.contract.limits import EXPERIMENT_ID_MAXIMUM, KEY_LENGTH

DEFAULT_UNIT_TYPE = "user"

Key = Annotated[str, Meta(min_length=1, max_length=KEY_LENGTH)]
ExperimentId = Annotated[int, Meta(ge=1, le=EXPERIMENT_ID_MAXIMUM)]
Instant = Annotated[datetime, Meta(tz=True)]


class EventRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An event as sent. The rules that take more than one field are in `neonblue.contract.events`."""

    user_id: Key
    event_type: Key
    id: str | None = None
    timestamp: Instant | None = None
    unit_type: Key | None = None
    experiment_id: ExperimentId | None = None
    experiment: Key | None = None
    variant_key: Key | None = None
    session_id: Key | None = None
    value: Decimal | None = None
    properties: dict[str, Any] | None = None


class AssignmentRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A unit to assign. `variant_key` and `timestamp` belong to external experiments alone."""

    experiment: Key
    user_id: Key
    unit_type: Key | None = None
    attributes: dict[str, Any] | None = None
    expose: bool = True
    variant_key: Key | None = None
    timestamp: Instant | None = None
