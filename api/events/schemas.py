"""The OpenAPI operation of `POST /v1/events`."""

from __future__ import annotations

from typing import Any

import msgspec

from api.http.openapi import operation
from neonblue.contract.answers import EventsAnswer
from neonblue.contract.limits import REQUEST_BYTES, REQUEST_ITEMS
from neonblue.contract.requests import EventRequest


def _schema() -> tuple[dict[str, Any], dict[str, Any]]:
    """The body's schema, and an event of the examples of its fields."""
    event = msgspec.json.schema(EventRequest)["$defs"][EventRequest.__name__]
    example = {
        name: kind["examples"][0]
        for name, field in event["properties"].items()
        for kind in (field, *field.get("anyOf", ()))
        if "examples" in kind
    }
    many = {"type": "array", "items": event, "minItems": 1, "maxItems": REQUEST_ITEMS}
    return {"oneOf": [event, many]}, example


_BODY, _EVENT = _schema()

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
            "schema": _BODY,
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
    headers={
        "Idempotency-Key": "Makes a request whose events have no ids safe to repeat for 24 hours",
        "Sent-At": (
            "The clock that stamps the events, at this attempt: a time with a zone. Where it is more than a second and "
            "at most a day from the API's, the events' times are corrected by the distance"
        ),
    },
)
