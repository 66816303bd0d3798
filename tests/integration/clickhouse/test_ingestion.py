"""Messages that can be read, end where they belong, exactly."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from uuid import UUID

import pytest
from clickhouse_connect.driver.client import Client

from tests.integration.warehouse import Topic, envelope, event, rows

_PERFORMANCE = """
SELECT variant_key, count() as exposures, countIf(is_conversion) as conversions,
  round(countIf(is_conversion) / count() * 100, 2) as conversion_rate, sum(value) as total_revenue
FROM events_processed WHERE experiment_id = 1 GROUP BY variant_key;
"""
_JOURNEYS = """
SELECT user_id, groupArray(event_type) as journey, sum(value) as total_value,
  uniqExact(session_id) as sessions
FROM events_processed GROUP BY user_id HAVING length(journey) >= 3;
"""


def test_an_event_arrives_with_every_field(clickhouse: Client, topic: Topic) -> None:
    sent = event(value="12.345678", properties={"page": "/pricing", "n": 1})
    topic.send(envelope("event", sent))
    columns = (
        "event_id, experiment_id, user_id, unit_type, event_type, variant_key, session_id, "
        "toString(timestamp), value, properties, toString(received_at), toString(event_date), "
        "is_conversion, is_click, page"
    )
    assert rows(clickhouse, f"SELECT {columns} FROM events_processed") == [
        (
            UUID(sent["id"]),
            1,
            "u1",
            "user",
            "page_view",
            "control",
            "s1",
            "2026-01-02 03:04:05.123456",
            Decimal("12.345678"),
            '{"page":"/pricing","n":1}',
            "2026-01-02 03:04:05.223456",
            "2026-01-02",
            False,
            False,
            "/pricing",
        )
    ]


def test_what_is_absent_becomes_its_neutral_value(clickhouse: Client, topic: Topic) -> None:
    topic.send(
        envelope(
            "event",
            event(
                experiment_id=None,
                variant_key=None,
                session_id=None,
                value=None,
                properties=None,
                unit_type=...,
            ),
        )
    )
    columns = "experiment_id, variant_key, session_id, value, properties, unit_type, page"
    assert rows(clickhouse, f"SELECT {columns} FROM events_processed") == [
        (0, "", "", Decimal(0), "", "user", "")
    ]


def test_the_time_of_ingestion_is_now(clickhouse: Client, topic: Topic) -> None:
    topic.send(envelope("event", event()))
    ((distance,),) = rows(
        clickhouse, "SELECT abs(dateDiff('second', ingested_at, now64(3))) FROM events_processed"
    )
    assert distance < 60


def test_a_snapshot_of_the_outbox_is_read_like_its_stream(clickhouse: Client, topic: Topic) -> None:
    topic.send(envelope("event", event(), op="r"))
    assert rows(clickhouse, "SELECT count() FROM events_processed") == [(1,)]


def test_a_replay_changes_nothing(clickhouse: Client, topic: Topic) -> None:
    messages = dict(enumerate([envelope("event_batch", [event() for _ in range(10)]) for _ in range(5)]))
    topic.send_at(messages)
    before = rows(clickhouse, "SELECT event_id, _offset FROM events_processed ORDER BY 1")
    topic.send_at(messages)
    assert rows(clickhouse, "SELECT event_id, _offset FROM events_processed ORDER BY 1") == before


def test_a_batch_may_span_decades(clickhouse: Client, topic: Topic) -> None:
    months = [
        f"{year}-{month:02}-01T00:00:00.000000Z" for year in range(1970, 2000) for month in range(1, 13)
    ]
    topic.send(envelope("event_batch", [event(timestamp=month) for month in months]))
    assert rows(clickhouse, "SELECT count(), uniqExact(toYYYYMM(timestamp)) FROM events_processed") == [
        (360, 360)
    ]


def test_the_largest_message_arrives_whole(clickhouse: Client, topic: Topic) -> None:
    topic.send(envelope("event", event(properties={"text": "x" * 4_000_000})))
    assert rows(clickhouse, "SELECT length(properties) FROM events_processed") == [(4_000_011,)]


def test_a_number_beyond_64_bits_in_a_property_costs_no_event(clickhouse: Client, topic: Topic) -> None:
    properties = {"number": 123456789012345678901234567890, "text": 'say "12345678901234567890123"'}
    topic.send(envelope("event_batch", [event(properties=properties), event()]))
    assert rows(
        clickhouse,
        "SELECT JSONExtractFloat(properties, 'number'), JSONExtractString(properties, 'text') "
        "FROM events_processed WHERE properties LIKE '%number%'",
    ) == [(123456789012345678901234567890.0, properties["text"])]
    assert rows(clickhouse, "SELECT count() FROM events_processed") == [(2,)]


def test_heartbeats_are_left_out(clickhouse: Client, topic: Topic) -> None:
    topic.send(
        b'{"ts_ms":1767323045123}',
        b'{"before":null,"after":{"id":7,"beat_at":"2026-01-02T03:04:05Z"},"source":{"table":"heartbeat"},"op":"c"}',
    )
    assert rows(clickhouse, "SELECT count() FROM dead_letters") == [(0,)]


def test_heartbeats_of_their_own_topic_are_canaries(clickhouse: Client) -> None:
    beat = '{{"after":{{"id":7,"beat_at":"{}"}},"source":{{"table":"heartbeat"}},"op":"{}"}}'
    messages = [
        beat.format("2126-01-02T03:04:05.123456Z", "c"),
        beat.format("2126-01-02T03:04:05.123456Z", "c"),  # read twice
        beat.format("2126-01-02T03:04:06Z", "r"),  # of a snapshot
        beat.format("no time", "c"),
        '{"ts_ms":1767323045123}',
    ]
    clickhouse.insert(
        "raw_events_kafka",
        [[message, place, "neonblue_heartbeat.neonblue"] for place, message in enumerate(messages)],
        column_names=["message", "_offset", "_topic"],
    )
    clickhouse.insert(
        "raw_events_kafka", [[messages[0].replace("05.12", "07.12"), 9]], column_names=["message", "_offset"]
    )

    found = rows(
        clickhouse, "SELECT toString(beat_at), ingested_at > now() - INTERVAL 1 MINUTE FROM canaries FINAL"
    )
    assert found == [("2126-01-02 03:04:05.123456", 1)]
    assert rows(clickhouse, "SELECT count() FROM dead_letters") == [(0,)]


def test_the_performance_query_is_right_straight_after_a_replay(clickhouse: Client, topic: Topic) -> None:
    batch = [
        event(variant_key="control", event_type="exposure", value=None),
        event(variant_key="control", event_type="purchase", value="0.1"),
        event(variant_key="control", event_type="purchase", value="0.2"),
        event(variant_key="treatment", event_type="exposure", value=None),
        event(variant_key="treatment", experiment_id=2),
    ]
    message = envelope("event_batch", batch)
    topic.send_at({1: message})
    topic.send_at({1: message})
    assert sorted(rows(clickhouse, _PERFORMANCE)) == [
        ("control", 3, 2, 66.67, Decimal("0.3")),
        ("treatment", 1, 0, 0.0, Decimal(0)),
    ]


def test_the_journey_query_is_in_the_order_of_time(clickhouse: Client, topic: Topic) -> None:
    def at(second: int, event_type: str, session: str, value: str | None = None) -> dict[str, object]:
        time = f"2026-01-02T03:04:{second:02}.000000Z"
        return event(
            user_id="traveller", timestamp=time, event_type=event_type, session_id=session, value=value
        )

    topic.send(envelope("event", at(9, "purchase", "b", "5.5")))
    topic.send(
        envelope("event_batch", [at(5, "click", "a"), at(1, "page_view", "a"), event(user_id="other")])
    )
    assert rows(clickhouse, _JOURNEYS) == [
        ("traveller", ["page_view", "click", "purchase"], Decimal("5.5"), 2)
    ]


def test_assignments_experiments_and_erasures_have_tables_of_their_own(
    clickhouse: Client, topic: Topic
) -> None:
    time = "2026-01-02T03:04:05.123456Z"
    assignment = {
        "schema_version": 1,
        "experiment_id": 3,
        "unit_type": "user",
        "user_id": "u1",
        "variant_key": "b",
        "version": 2,
        "assigned_at": time,
        "attributes": {"country": "IS"},
        "received_at": time,
    }
    experiment = {
        "schema_version": 1,
        "experiment_id": 3,
        "key": "checkout",
        "name": "Checkout",
        "source": "internal",
        "unit_type": "user",
        "population": "exposed",
        "status": "running",
        "version": 2,
        "salt": "s",
        "allocation": 10000,
        "variants": [{"key": "a", "name": "A", "weight": 1, "is_control": True}],
        "metrics": [],
        "started_at": time,
        "concluded_at": None,
        "received_at": time,
    }
    erasure = {
        "schema_version": 1,
        "unit_type": "user",
        "user_id": "u2",
        "erased_at": time,
        "received_at": time,
    }
    topic.send(
        envelope("assignment_batch", [assignment, assignment | {"user_id": "u3", "attributes": None}]),
        envelope("experiment", experiment),
        envelope("user", erasure),
    )
    moment = "2026-01-02 03:04:05.123456"
    assert rows(
        clickhouse,
        "SELECT experiment_id, user_id, variant_key, version, attributes FROM assignments ORDER BY user_id",
    ) == [(3, "u1", "b", 2, '{"country":"IS"}'), (3, "u3", "b", 2, "")]
    assert rows(
        clickhouse,
        "SELECT experiment_id, version, key, status, toString(started_at), concluded_at FROM experiments",
    ) == [(3, 2, "checkout", "running", moment, None)]
    assert rows(
        clickhouse, "SELECT unit_type, lower(hex(person)), toString(erased_at) FROM erased_users"
    ) == [("user", sha256(b"user\0u2").hexdigest(), moment)]
    assert rows(clickhouse, "SELECT count() FROM dead_letters") == [(0,)]


@pytest.mark.parametrize(
    "text", ["116", "0012", "1e5", "-1.50", "true", "null", "2026-01-02", "18446744073709551616"]
)
def test_an_id_that_looks_like_another_type_stays_as_it_was_sent(
    clickhouse: Client, topic: Topic, text: str
) -> None:
    topic.send(envelope("event", event(user_id=text, session_id=text, event_type=text)))
    found = rows(clickhouse, "SELECT user_id, session_id, event_type FROM events_processed")
    assert found == [(text, text, text)]
    assert rows(clickhouse, "SELECT error FROM dead_letters") == []
