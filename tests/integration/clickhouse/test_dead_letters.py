"""No message stops the consumption: what can not be read is kept, with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from tests.integration.warehouse import Topic, envelope, event, rows

_MESSAGES = {
    "empty": (b"", "message: empty"),
    "cut off": (envelope("event", event())[:-9], "message: no JSON"),
    "not UTF-8": (b"\xff\xfe\x00", "message: no JSON"),
    "four megabytes of nothing": (b"x" * 4_194_304, "message: no JSON"),
    "four megabytes deep": (b"[" * 4_194_304, "message: no JSON"),
    "a number": (b"5", "op: missing"),
    "null": (b"null", "op: missing"),
    "an empty object": (b"{}", "op: missing"),
    "a deletion": (envelope("event", event(), op="d"), "op: neither c nor r"),
    "no row": (b'{"op":"c","after":null}', "after.aggregate_type: missing"),
    "a row that is a number": (b'{"op":"c","after":7}', "after.aggregate_type: missing"),
    "a row without payload": (
        b'{"op":"c","after":{"aggregate_type":"event","event_type":"EVENT_CREATED","payload":null}}',
        "after.payload: missing",
    ),
    "an unknown aggregate": (
        envelope("invoice", event(), event_type="EVENT_CREATED"),
        "after: unknown aggregate_type or event_type",
    ),
    "an unknown event type": (
        envelope("event", event(), event_type="EVENT_DELETED"),
        "after: unknown aggregate_type or event_type",
    ),
    "a payload that is no JSON": (envelope("event", "no JSON"), "payload: no readable event"),
    "an empty batch": (envelope("event_batch", []), "payload: no readable event"),
    "a batch of numbers": (envelope("event_batch", [7, 8]), "payload: no readable event"),
    "a payload three thousand deep": (
        envelope("event", '{"a":' + "[" * 3000 + "]" * 3000 + "}"),
        "payload: no readable event",
    ),
    "assignments that are no JSON": (envelope("assignment_batch", "]"), "payload: no readable assignment"),
    "an experiment that is text": (envelope("experiment", '"x"'), "payload: no readable object"),
    "an experiment without fields": (
        envelope("experiment", {"schema_version": 1}),
        "received_at: missing, or no time",
    ),
    "an erasure of nobody": (
        envelope("user", {"schema_version": 1, "received_at": "2026-01-02T03:04:05Z"}),
        "user_id: missing, or no string",
    ),
}

_FIELDS: list[tuple[str, Any]] = [
    *[("schema_version", value) for value in (..., None, 2, "x")],
    *[("id", value) for value in (..., None, 5, "x", "0198f2d0-1111-7000-8000-00000000000Z")],
    *[("user_id", value) for value in (..., None, "", ["u1"], {"id": "u1"})],
    *[("unit_type", value) for value in ([5], {})],
    *[("event_type", value) for value in (..., None, "", [])],
    *[
        ("timestamp", value)
        for value in (
            *(..., None, 1767323045, "yesterday", "2026-02-30T00:00:00Z", "2026-01-02T25:00:00Z"),
            *("9999-01-01T00:00:00Z", "1800-01-01T00:00:00Z", "292278994-01-01T00:00:00Z", "2026-01-02"),
        )
    ],
    *[("experiment_id", value) for value in (-1, 1.5, 2**40, "one", {}, [1])],
    *[("variant_key", value) for value in ([5], {})],
    *[("session_id", value) for value in ([5], {"id": 1})],
    *[("app_version", value) for value in ([5], {"major": 1})],
    *[
        ("sent_at", value)
        for value in ("yesterday", "2026-02-30T00:00:00Z", "9999-01-01T00:00:00Z", 5, "", [])
    ],
    *[("clock_offset", value) for value in ("soon", 1.5, 1e300, {}, [1], 2**63, True, "")],
    *[
        ("value", value)
        for value in ("much", "NaN", "1000000000000", "0.0000001", "1e3", 1e300, 1e-9, True, {}, [1], "")
    ],
    *[("properties", value) for value in ("text", 5, [1])],
    *[("received_at", value) for value in (..., None, "2026-13-01T00:00:00Z")],
]


@pytest.mark.parametrize("name", _MESSAGES)
def test_an_unreadable_message_becomes_a_dead_letter(clickhouse: Client, topic: Topic, name: str) -> None:
    message, error = _MESSAGES[name]
    good = event()
    offset, _ = topic.send(message, envelope("event", good))
    letters = rows(clickhouse, "SELECT error, topic, _partition, _offset, element > 0 FROM dead_letters")
    assert letters == [(error, "experiments_events", 0, offset, False)]
    assert [str(row[0]) for row in rows(clickhouse, "SELECT event_id FROM events_processed")] == [good["id"]]


@pytest.mark.parametrize(("field", "value"), _FIELDS)
def test_one_bad_element_of_a_batch_leaves_the_others(
    clickhouse: Client, topic: Topic, field: str, value: Any
) -> None:
    before, bad, after = event(), event(**{field: value}), event()
    topic.send(envelope("event_batch", [before, bad, after]))
    ((error, element, message),) = rows(clickhouse, "SELECT error, element, message FROM dead_letters")
    assert (error.split(":")[0], element, json.loads(message)) == (field, 2, bad)
    kept = {str(row[0]) for row in rows(clickhouse, "SELECT event_id FROM events_processed")}
    assert kept == {before["id"], after["id"]}


def test_a_huge_value_costs_its_own_event_only(clickhouse: Client, topic: Topic) -> None:
    good = event()
    topic.send(envelope("event_batch", [good, event(value=10**30)]))
    assert [row[0].split(":")[0] for row in rows(clickhouse, "SELECT error FROM dead_letters")] == ["value"]
    assert [str(row[0]) for row in rows(clickhouse, "SELECT event_id FROM events_processed")] == [good["id"]]


@pytest.mark.parametrize(
    "field", ["schema_version", "experiment_id", "user_id", "variant_key", "version", "assigned_at"]
)
def test_one_bad_assignment_leaves_the_others(clickhouse: Client, topic: Topic, field: str) -> None:
    time = "2026-01-02T03:04:05.123456Z"
    good = {
        "schema_version": 1,
        "experiment_id": 3,
        "unit_type": "user",
        "user_id": "u1",
        "variant_key": "b",
        "version": 2,
        "assigned_at": time,
        "attributes": None,
        "received_at": time,
    }
    topic.send(envelope("assignment_batch", [good | {field: None}, good]))
    ((error, element),) = rows(clickhouse, "SELECT error, element FROM dead_letters")
    assert (error.split(":")[0], element) == (field, 1)
    assert rows(clickhouse, "SELECT user_id FROM assignments") == [("u1",)]


def test_a_replayed_dead_letter_is_one_letter(clickhouse: Client, topic: Topic) -> None:
    topic.send_at({7: b"{"})
    topic.send_at({7: b"{"})
    assert rows(clickhouse, "SELECT count() FROM dead_letters") == [(1,)]
