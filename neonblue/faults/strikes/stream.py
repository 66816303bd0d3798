"""What can happen to the stream: its slot, connector, offsets, topic, and the group that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import ConsumerGroupTopicPartitions as Group
from confluent_kafka.admin import AdminClient

from neonblue.clickhouse.client import connect as clickhouse
from neonblue.faults.plan import Fault
from neonblue.faults.strikes.context import Context, Healed, StrikeError, at_once

_UNREAD_SECONDS = 3.0
"""So long messages arrive that ClickHouse has not read."""
_REQUEST_SECONDS = 10.0
_ATTEMPTS = 50
_END_WALSENDER = """
SELECT pg_terminate_backend(active_pid, 1000) FROM pg_replication_slots
WHERE slot_name = %s AND active_pid IS NOT NULL
"""
_DROP = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s"


def slot_dropped(context: Context, _: Fault) -> Healed:
    """The walsender is ended, and the slot dropped before it is back."""
    slot = context.settings.connect.slot
    with psycopg.connect(context.settings.postgres.dsn(), connect_timeout=5, autocommit=True) as one:

        def dropped() -> bool:
            one.execute(_END_WALSENDER, [slot])
            try:
                one.execute(_DROP, [slot])
            except psycopg.errors.ObjectInUse:
                return False
            return True

        if not any(dropped() for _ in range(_ATTEMPTS)):
            raise StrikeError("the slot was in use each time")

    def healed() -> bool:
        with psycopg.connect(context.settings.postgres.dsn(), connect_timeout=5) as again:
            found = again.execute(
                "SELECT active FROM pg_replication_slots WHERE slot_name = %s", [slot]
            ).fetchone()
        return found is not None and found[0] is True

    return healed


def connector_deleted(context: Context, _: Fault) -> Healed:
    _done(context.connect("DELETE"))
    return lambda: _runs(context)


def connector_paused(context: Context, _: Fault) -> Healed:
    _done(context.connect("PUT", "/pause"))
    context.undo.append(lambda: context.connect("PUT", "/resume"))
    context.until(lambda: not _runs(context), "the connector is paused")
    return lambda: _runs(context)


def offsets_lost(context: Context, _: Fault) -> Healed:
    """Stopped, its offsets deleted, resumed. Stopped again where it was put back before the offsets were gone."""

    def deleted() -> bool:
        return context.connect("PUT", "/stop").is_success and context.connect("DELETE", "/offsets").is_success

    try:
        context.until(deleted, "the connector's offsets can be deleted")
    finally:
        _done(context.connect("PUT", "/resume"))
    return lambda: _runs(context)


def topic_deleted(context: Context, _: Fault) -> Healed:
    topic = context.settings.kafka.topic
    admin = context.admin()
    admin.delete_topics([topic], request_timeout=_REQUEST_SECONDS)[topic].result(2 * _REQUEST_SECONDS)
    return lambda: topic in context.admin().list_topics(timeout=_REQUEST_SECONDS).topics


def topic_emptied(context: Context, _: Fault) -> Healed:
    """What ClickHouse has not read yet goes."""
    admin = context.admin()
    with _nobody_reads(context, admin):
        context.hold(_UNREAD_SECONDS)
        ends = [TopicPartition(context.settings.kafka.topic, number, at) for number, at in _ends(context)]
        for future in admin.delete_records(ends, request_timeout=_REQUEST_SECONDS).values():
            future.result(2 * _REQUEST_SECONDS)
    return at_once


def group_forward(context: Context, _: Fault) -> Healed:
    admin = context.admin()
    with _nobody_reads(context, admin):
        context.hold(_UNREAD_SECONDS)
        _jump(context, admin, _ends(context))
    return at_once


def group_back(context: Context, _: Fault) -> Healed:
    admin = context.admin()
    with _nobody_reads(context, admin):
        _jump(context, admin, [(number, 0) for number, _ in _ends(context)])
    return at_once


def _runs(context: Context) -> bool:
    answer = context.connect("GET", "/status")
    if not answer.is_success:
        return False
    states = answer.json()
    parts = [states["connector"], *states["tasks"]]
    return bool(states["tasks"]) and all(part["state"] == "RUNNING" for part in parts)


def _done(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise StrikeError(f"Kafka Connect answered {answer.status_code}: {answer.text[:200]}")


@contextmanager
def _nobody_reads(context: Context, admin: AdminClient) -> Iterator[None]:
    """Meanwhile ClickHouse's consumer is out of its group, as when ClickHouse is down."""
    group = context.settings.clickhouse.kafka_group
    with clickhouse(context.settings.clickhouse) as client:
        client.command("DETACH TABLE raw_events_kafka")
        try:
            context.until(lambda: not _members(admin, group), "the consumer leaves its group")
            yield
        finally:
            client.command("ATTACH TABLE raw_events_kafka")


def _members(admin: AdminClient, group: str) -> bool:
    try:
        found = admin.describe_consumer_groups([group], request_timeout=_REQUEST_SECONDS)[group]
        return bool(found.result(2 * _REQUEST_SECONDS).members)
    except KafkaException:
        return True


def _jump(context: Context, admin: AdminClient, offsets: list[tuple[int, int]]) -> None:
    topic, group = context.settings.kafka.topic, context.settings.clickhouse.kafka_group
    wanted = Group(group, [TopicPartition(topic, number, at) for number, at in offsets])
    admin.alter_consumer_group_offsets([wanted], request_timeout=_REQUEST_SECONDS)[group].result(
        2 * _REQUEST_SECONDS
    )


def _ends(context: Context) -> list[tuple[int, int]]:
    """Each partition with the offset after its last message."""
    topic = context.settings.kafka.topic
    consumer = Consumer(context.settings.kafka.client("admin") | {"group.id": "fault-run", "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, _REQUEST_SECONDS).topics[topic].partitions
        return [
            (number, consumer.get_watermark_offsets(TopicPartition(topic, number), _REQUEST_SECONDS)[1])
            for number in partitions
        ]
    finally:
        consumer.close()
