"""From a real topic: poison, tombstones and good events, in one stream."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer

from neonblue.settings import Settings
from neonblue.stack import Stack
from tests.integration.warehouse import connect, envelope, event, free_port, rows


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    wanted = Settings.model_validate(
        {
            "data_dir": tmp_path_factory.mktemp("stream"),
            "clickhouse": {"port": free_port()},
            "kafka": {"port": free_port(), "controller_port": free_port()},
        }
    )
    with Stack(wanted, services={"kafka", "clickhouse"}) as stack:
        stack.wait_ready(timeout=120)
        yield stack.settings


@pytest.fixture(scope="module")
def clickhouse(settings: Settings) -> Iterator[Client]:
    with connect(settings) as client:
        yield client


def test_poison_does_not_stop_the_stream(settings: Settings, clickhouse: Client) -> None:
    poison = [b"{", b"\xff\xfe", b"x" * 4_000_000, envelope("event", event(user_id=[5]))]
    decades = [event(timestamp=f"{year}-01-01T00:00:00.000000Z") for year in range(1970, 2190)]
    good = [event(), event(properties={"text": "y" * 3_900_000})]
    producer = Producer(settings.kafka.client("connect") | {"message.max.bytes": 4_194_304})
    for message in [None, *poison, envelope("event", good[0])]:
        producer.produce(settings.kafka.topic, message, key="one-partition")
    producer.produce(settings.kafka.topic, envelope("event_batch", decades), key="one-partition")
    producer.produce(settings.kafka.topic, envelope("event", good[1]), key="one-partition")
    assert producer.flush(30) == 0

    wanted = len(good) + len(decades)
    deadline = time.monotonic() + 60
    while _count(clickhouse, "events_processed") < wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _count(clickhouse, "events_processed") == wanted
    assert sorted(row[0].split(":")[0] for row in rows(clickhouse, "SELECT error FROM dead_letters")) == [
        "message",
        "message",
        "message",
        "user_id",
    ]


def _count(clickhouse: Client, table: str) -> int:
    ((found,),) = rows(clickhouse, f"SELECT count() FROM {table}")
    return int(found)
