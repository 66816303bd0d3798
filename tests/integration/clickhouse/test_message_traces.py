"""What a message says of its request's trace is noted, and changes nothing of what is counted."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from tests.integration.warehouse import Topic, envelope, event, rows

_FIRST = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_SECOND = "00-1bf7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"
_COLUMNS = "* EXCEPT (_offset, ingested_delay)"


@pytest.fixture(autouse=True)
def _empty(clickhouse: Client) -> None:
    clickhouse.command("TRUNCATE TABLE message_traces")


def test_each_request_of_a_batch_is_noted_once_with_its_events(clickhouse: Client, topic: Topic) -> None:
    batch = [event(traceparent=_FIRST), event(traceparent=_SECOND), event(traceparent=_FIRST), event()]
    topic.send(envelope("event_batch", batch))

    assert rows(clickhouse, "SELECT traceparent, events FROM message_traces ORDER BY 1") == [
        (_FIRST, 2),
        (_SECOND, 1),
    ]
    assert rows(clickhouse, "SELECT count() FROM events_processed") == [(4,)]
    assert rows(
        clickhouse, "SELECT max(abs(dateDiff('second', ingested_at, now()))) < 60 FROM message_traces"
    ) == [(1,)]
    assert rows(clickhouse, "SELECT toString(min(received_at)) FROM message_traces") == [
        ("2026-01-02 03:04:05.223456",)
    ]


def test_a_copy_without_it_is_the_same_row(clickhouse: Client, topic: Topic) -> None:
    traced = event(traceparent=_FIRST)
    topic.send(envelope("event", traced))
    before = rows(clickhouse, f"SELECT {_COLUMNS} FROM events_processed")
    topic.send(envelope("event", {name: value for name, value in traced.items() if name != "traceparent"}))

    assert rows(clickhouse, f"SELECT {_COLUMNS} FROM events_processed") == before
    assert rows(clickhouse, "SELECT count() FROM message_traces") == [(1,)]


@pytest.mark.parametrize(
    "value", [None, "", "00", 7, ["x"], {"a": 1}, _FIRST.upper(), _FIRST + "x", "00-'; DROP TABLE x-01"]
)
def test_what_is_no_span_is_left_out_and_the_event_is_kept(
    clickhouse: Client, topic: Topic, value: object
) -> None:
    topic.send(envelope("event", event(traceparent=value)))

    assert rows(clickhouse, "SELECT count() FROM message_traces") == [(0,)]
    assert rows(clickhouse, "SELECT count() FROM events_processed") == [(1,)]


def test_what_a_client_calls_so_among_its_properties_is_not_noted(clickhouse: Client, topic: Topic) -> None:
    topic.send(envelope("event", event(properties={"traceparent": _FIRST, "a": '"traceparent":"' + _FIRST})))

    assert rows(clickhouse, "SELECT count() FROM message_traces") == [(0,)]
    assert rows(clickhouse, "SELECT count() FROM events_processed") == [(1,)]
