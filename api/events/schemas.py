"""The OpenAPI operation of `POST /v1/events`."""

from __future__ import annotations

from typing import Any

import msgspec

from api.http.openapi import operation
from neonblue.contract.answers import EventsAnswer
from neonblue.contract.limits import REQUEST_BYTES, REQUEST_ITEMS
from neonblue.contract.requests import EventRequest

_EVENT = {
    "id": "0197a6c0-8a40-7cc1-b5d1-0f6f2f3a9a11",
    "user_id": "user-42",
    "event_type": "purchase",
    "timestamp": "2026-03-01T09:30:00.250000Z",
    "experiment": "checkout-button",
    "session_id": "s-1",
    "value": "19.990000",
    "properties": {"currency": "EUR", "items": 2},
}


def _schema() -> dict[str, Any]:
    schema = msgspec.json.schema(EventRequest)
    name = EventRequest.__name__
    event = schema["$defs"][name]
    return {"oneOf": [event, {"type": "array", "items": event, "minItems": 1, "maxItems": REQUEST_ITEMS}]}


EVENTS_OPERATION = operation(
    tag="events",
    scope="ingest",
    summary="Store events",
    description=(
        f"One event, an array, or one per line (`application/x-ndjson`): at most {REQUEST_ITEMS} events and "
        f"{REQUEST_BYTES} bytes. Each item is accepted, a duplicate, or rejected with field and rule; a rejected "
        "one does no harm to the others. Answered after the commit. Repeating a request is safe where its events "
        "have ids, or with an `Idempotency-Key`. An `exposure` that names an experiment without targeting assigns a "
        "unit that has no assignment."
    ),
    content={
        "application/json": {
            "schema": _schema(),
            "examples": {"one": {"value": _EVENT}, "many": {"value": [_EVENT]}},
        },
        "application/x-ndjson": {"schema": {"type": "string"}},
    },
    answer=msgspec.json.schema(EventsAnswer),
    answers={
        "200": "At least one event is stored",
        "422": "Every event was rejected",
        "429": "The stream is behind: slow down",
    },
    headers={"Idempotency-Key": "Makes a request whose events have no ids safe to repeat for 24 hours"},
)
