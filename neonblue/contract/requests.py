"""What clients send: one event, one request for an assignment."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, Struct

from neonblue.contract.limits import APP_VERSION_LENGTH, EXPERIMENT_ID_MAXIMUM, KEY_LENGTH

DEFAULT_UNIT_TYPE = "user"

Key = Annotated[str, Meta(min_length=1, max_length=KEY_LENGTH)]
ExperimentId = Annotated[int, Meta(ge=1, le=EXPERIMENT_ID_MAXIMUM)]
ConfigurationVersion = Annotated[int, Meta(ge=1, le=EXPERIMENT_ID_MAXIMUM)]
AppVersion = Annotated[str, Meta(min_length=1, max_length=APP_VERSION_LENGTH)]
Instant = Annotated[datetime, Meta(tz=True)]


class EventRequest(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An event as sent. The rules that take more than one field are in `neonblue.contract.events`.

    configuration_version: on an exposure, the version under which `variant_key` was worked out without the store;
    the assignment is stored with the exposure unless the unit has one.
    """

    user_id: Annotated[Key, Meta(examples=["user-42"])]
    event_type: Annotated[Key, Meta(examples=["purchase"])]
    id: Annotated[str, Meta(examples=["0197a6c0-8a40-7cc1-b5d1-0f6f2f3a9a11"])] | None = None
    timestamp: Annotated[Instant, Meta(examples=["2026-03-01T09:30:00.250000Z"])] | None = None
    unit_type: Key | None = None
    experiment_id: ExperimentId | None = None
    experiment: Annotated[Key, Meta(examples=["checkout-button"])] | None = None
    variant_key: Key | None = None
    session_id: Annotated[Key, Meta(examples=["s-1"])] | None = None
    app_version: (
        Annotated[AppVersion, Meta(description="The version of the app that sends it", examples=["5.2.0"])]
        | None
    ) = None
    value: Annotated[Decimal, Meta(examples=["19.990000"])] | None = None
    properties: Annotated[dict[str, Any], Meta(examples=[{"currency": "EUR", "items": 2}])] | None = None
    configuration_version: ConfigurationVersion | None = None


class AssignmentRequest(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A unit to assign: to one experiment, or to all running ones of its type where none is named.

    `expose`: whether the unit meets its variant now; where absent, it does if one experiment is named.
    `variant_key` and `timestamp` belong to external experiments alone. `shown_variant`: the variant that the unit was
    shown before it was asked for here; an answer that differs is counted, and stands.
    """

    user_id: Key
    experiment: Key | None = None
    unit_type: Key | None = None
    attributes: dict[str, Any] | None = None
    expose: bool | None = None
    variant_key: Key | None = None
    timestamp: Instant | None = None
    shown_variant: Key | None = None
