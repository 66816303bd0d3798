"""The client says of an event whatever the API takes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from neonblue.client import NewEvent, event_of
from neonblue.contract.requests import EventRequest

SAID: dict[str, Any] = {
    "id": UUID("0197a6c0-8a40-7cc1-b5d1-0f6f2f3a9a11"),
    "timestamp": datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    "unit_type": "device",
    "experiment_id": 7,
    "experiment": "checkout-button",
    "variant_key": "treatment",
    "session_id": "s-1",
    "app_version": "5.2.0",
    "value": Decimal("19.99"),
    "properties": {"page": "/a"},
    "configuration_version": 3,
}


def test_it_has_the_contracts_fields() -> None:
    assert set(NewEvent.__struct_fields__) == set(EventRequest.__struct_fields__)
    assert set(SAID) == set(EventRequest.__struct_fields__) - {"user_id", "event_type"}


def test_what_is_said_of_an_event_is_sent() -> None:
    sent = msgspec.json.encode(event_of("exposure", "user-42", **SAID))
    read = msgspec.json.decode(sent, type=EventRequest)
    expected = SAID | {"id": str(SAID["id"]), "user_id": "user-42", "event_type": "exposure"}
    assert msgspec.structs.asdict(read) == expected
