"""From the outbox in PostgreSQL to the topic in Kafka, on one stack for all tests here."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition

from neonblue.settings import Settings
from neonblue.stack import Stack
from neonblue.stack.services.connect import credentials
from neonblue.stack.services.connector import Connector
from neonblue.stack.supervisor import probe, record
from neonblue.stack.supervisor.board import State
from tests.waiting import until

INSERT = """
INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
VALUES ('event', %s, 'EVENT_CREATED', %s)
"""
PARTITION = """
CREATE TABLE outbox_of_this_test PARTITION OF outbox_events FOR VALUES FROM ('2000-01-01') TO ('2100-01-01')
"""
SLOT = "SELECT wal_status, active, confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = %s"
LARGEST = 3_900_000


class Topic:
    """Everything on the topic so far, by ``aggregate_id``."""

    def __init__(self, settings: Settings) -> None:
        self.messages: list[dict[str, Any]] = []
        self.keys: list[bytes | None] = []
        self._consumer = Consumer(
            settings.kafka.client("admin")
            | {
                "group.id": str(uuid.uuid4()),
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.message.max.bytes": 4 * 1024 * 1024,
                "log_level": 0,
            }
        )
        partitions = range(settings.kafka.partitions)
        self._consumer.assign([TopicPartition(settings.kafka.topic, number, 0) for number in partitions])

    def close(self) -> None:
        self._consumer.close()

    def read(self) -> None:
        while (message := self._consumer.poll(0.2)) is not None:
            if message.error() is None:
                self.messages.append(json.loads(message.value()))
                self.keys.append(message.key())

    def has(self, *identifiers: str) -> bool:
        self.read()
        return set(identifiers) <= {message["after"]["aggregate_id"] for message in self.messages}

    def find(self, identifier: str) -> dict[str, Any]:
        return next(message for message in self.messages if message["after"]["aggregate_id"] == identifier)


@pytest.fixture(scope="module")
def stack(module_settings: Settings) -> Iterator[Stack]:
    with Stack(module_settings, services={"postgres", "kafka", "connect"}) as running:
        running.wait_ready(["postgres-schema"])
        with psycopg.connect(running.settings.postgres.dsn(), autocommit=True) as connection:
            connection.execute(PARTITION)
            # Before there is a connector: its snapshot must carry this.
            connection.execute(INSERT, ["before", json.dumps({"x": 0})])
        running.wait_ready()
        yield running


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    return stack.settings


@pytest.fixture
def topic(settings: Settings) -> Iterator[Topic]:
    opened = Topic(settings)
    yield opened
    opened.close()


def insert(settings: Settings, payload: object = None) -> str:
    """One outbox row; returns its aggregate's id."""
    identifier = str(uuid.uuid4())
    with psycopg.connect(settings.postgres.dsn(), autocommit=True) as connection:
        connection.execute(INSERT, [identifier, json.dumps(payload)])
    return identifier


def slot(settings: Settings) -> tuple[Any, ...]:
    with psycopg.connect(settings.postgres.dsn(), autocommit=True) as connection:
        return connection.execute(SLOT, [settings.connect.slot]).fetchone() or ()


def position(settings: Settings) -> str:
    with psycopg.connect(settings.postgres.dsn(), autocommit=True) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        assert row is not None
        return str(row[0])


def confirmed(settings: Settings, lsn: str) -> bool:
    with psycopg.connect(settings.postgres.dsn(), autocommit=True) as connection:
        query = "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s"
        row = connection.execute(query, [lsn, settings.connect.slot]).fetchone()
        return row is not None and bool(row[0])


def test_rows_arrive_in_debeziums_envelope_from_the_snapshot_and_from_the_stream(
    settings: Settings, topic: Topic
) -> None:
    after = insert(settings, {"x": 1})
    until(lambda: topic.has("before", after), "both rows on the topic")

    assert (topic.find("before")["op"], topic.find(after)["op"]) == ("r", "c")
    message = topic.find(after)
    assert message["before"] is None
    assert {"op", "ts_ms", "source"} <= set(message)
    assert message["source"]["table"] == "outbox_events"
    assert (message["after"]["aggregate_type"], message["after"]["event_type"]) == ("event", "EVENT_CREATED")
    assert json.loads(message["after"]["payload"]) == {"x": 1}
    assert [json.loads(key) for key in topic.keys if key] == [
        {"id": message["after"]["id"]} for message in topic.messages
    ]


def test_the_largest_row_arrives(settings: Settings, topic: Topic) -> None:
    large = insert(settings, {"filler": "x" * LARGEST})
    after = insert(settings)

    until(lambda: topic.has(large, after), "the large row and its successor")
    assert len(json.loads(topic.find(large)["after"]["payload"])["filler"]) == LARGEST


def test_heartbeats_move_an_idle_slot_and_never_reach_the_topic(settings: Settings, topic: Topic) -> None:
    with psycopg.connect(settings.postgres.dsn(), autocommit=True) as connection:
        # WAL that no published table causes: without heartbeats the slot would hold it for ever.
        connection.execute("CREATE TABLE unpublished AS SELECT generate_series(1, 1000)")
    written = position(settings)

    until(lambda: confirmed(settings, written), "the slot's position follows", seconds=60)
    topic.read()
    assert {message["source"]["table"] for message in topic.messages} == {"outbox_events"}


@contextmanager
def connector_stopped(settings: Settings) -> Iterator[None]:
    """The connector lets go of its slot, and comes back afterwards. The supervisor would not wait with that."""
    address = f"{settings.connect.address}/connectors/{settings.connect.connector}"
    caller = credentials(settings.connect)
    with pytest.MonkeyPatch.context() as idle:
        idle.setattr(Connector, "mend", lambda _: None)
        probe.put(f"{address}/stop", None, **caller)
        until(lambda: not slot(settings)[1], "the connector has let go of its slot")
        yield


def give_up_slot(settings: Settings) -> None:
    """Let PostgreSQL invalidate the slot: more WAL behind it than it may hold back."""
    with psycopg.connect(settings.postgres.dsn(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '32MB'")
        connection.execute("SELECT pg_reload_conf()")
        for _ in range(6):
            connection.execute("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000))")
            connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")
        connection.execute("ALTER SYSTEM RESET max_slot_wal_keep_size")
        connection.execute("SELECT pg_reload_conf()")


def drop_slot(settings: Settings) -> None:
    with psycopg.connect(settings.postgres.dsn(), autocommit=True) as connection:
        connection.execute("SELECT pg_drop_replication_slot(%s)", [settings.connect.slot])


@pytest.mark.parametrize("lose", [give_up_slot, drop_slot])
def test_what_a_lost_slot_would_have_carried_is_published_all_the_same(
    stack: Stack, settings: Settings, topic: Topic, lose: Callable[[Settings], None]
) -> None:
    seen = insert(settings)
    until(lambda: topic.has(seen), "a row before the loss")
    with connector_stopped(settings):
        unseen = insert(settings)
        lose(settings)
        assert slot(settings)[:1] in (("lost",), ())

    until(lambda: topic.has(unseen), "the row that the slot would have carried", seconds=90)
    stack.wait_ready(["connector"], timeout=60)
    later = insert(settings)
    until(lambda: topic.has(later), "rows after it")


def test_nothing_is_lost_when_everything_is_killed_at_once(
    stack: Stack, settings: Settings, topic: Topic
) -> None:
    before = [insert(settings) for _ in range(20)]
    pids = stack.pids()
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)

    for name, pid in pids.items():
        stack.wait_restarted(name, pid)
    after = [insert(settings) for _ in range(20)]

    until(lambda: topic.has(*before, *after), "every row on the topic", seconds=120)
    assert set(pids) == {"postgres", "kafka", "connect"}
    assert all(stack.restart_counts()[name] >= 1 for name in pids)


def test_the_record_on_disk_names_every_process(stack: Stack, settings: Settings) -> None:
    stack.wait_ready()

    # What the test before killed may be looked at once more: it then is unready for a moment.
    until(
        lambda: all(status.state == State.READY for status in record.read(settings.data_dir)),
        "every part is recorded as ready",
    )
    recorded = {status.name: status for status in record.read(settings.data_dir)}
    assert {name for name, status in recorded.items() if status.identity} == {"postgres", "kafka", "connect"}
