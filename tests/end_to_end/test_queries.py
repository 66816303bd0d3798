"""The two queries every user starts with, word for word, beside PostgreSQL's count; also after a replay."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from neonblue.clickhouse.client import connect
from neonblue.client import Client, event_of
from neonblue.settings import Settings
from tests.waiting import until

from .conftest import CommandLine

PERFORMANCE = """
SELECT variant_key, count() as exposures, countIf(is_conversion) as conversions, \
round(countIf(is_conversion) / count() * 100, 2) as conversion_rate, sum(value) as total_revenue \
FROM events_processed WHERE experiment_id = 1 GROUP BY variant_key;
"""
JOURNEYS = """
SELECT user_id, groupArray(event_type) as journey, sum(value) as total_value, \
uniqExact(session_id) as sessions FROM events_processed GROUP BY user_id HAVING length(journey) >= 3;
"""
TRUE_PERFORMANCE = """
SELECT coalesce(variant_key, ''), count(*),
       count(*) FILTER (WHERE event_type IN ('conversion', 'purchase', 'signup', 'subscription')),
       coalesce(sum(value), 0)
FROM events WHERE experiment_id = 1 GROUP BY 1
"""
TRUE_JOURNEYS = """
SELECT user_id, array_agg(event_type), coalesce(sum(value), 0), count(DISTINCT coalesce(session_id, ''))
FROM events GROUP BY user_id HAVING count(*) >= 3
"""


@pytest.fixture(scope="module")
def traffic(neonblue: CommandLine, settings: Settings) -> None:
    """Some visits to some experiment, and buyers in the experiment that has the id 1."""
    neonblue.run("simulate", "queries", "--units", "500", "--seed", "11")
    with Client(settings.api.address, settings.api.token.get_secret_value()) as client:
        with psycopg.connect(settings.postgres.dsn()) as postgres:
            row = postgres.execute("SELECT key, source FROM experiments WHERE id = 1").fetchone()
        assert row is not None
        if row[1] == "internal":
            for number in range(40):
                client.assign(row[0], f"buyer-{number}")
        receipt = client.send(
            [
                event_of(
                    "purchase", f"buyer-{number}", experiment_id=1, session_id="s", value=Decimal("9.99")
                )
                for number in range(40)
            ]
        )
        assert receipt.accepted == 40
    neonblue.run("reconcile", "--wait", "120")


def rows_of(neonblue: CommandLine, query: str) -> list[dict[str, Any]]:
    return [
        json.loads(line, parse_float=Decimal)
        for line in neonblue.run("sql", query, "--format", "JSONEachRow").stdout.splitlines()
    ]


def check_performance(neonblue: CommandLine, settings: Settings) -> None:
    with psycopg.connect(settings.postgres.dsn()) as postgres:
        truth = {row[0]: row[1:] for row in postgres.execute(TRUE_PERFORMANCE)}
    rows = rows_of(neonblue, PERFORMANCE)

    assert truth
    assert {row["variant_key"] for row in rows} == set(truth)
    for row in rows:
        events, conversions, revenue = truth[row["variant_key"]]
        assert (int(row["exposures"]), int(row["conversions"])) == (events, conversions)
        assert float(row["conversion_rate"]) == pytest.approx(conversions / events * 100, abs=0.0051)
        assert Decimal(row["total_revenue"]) == revenue


def check_journeys(neonblue: CommandLine, settings: Settings) -> None:
    with psycopg.connect(settings.postgres.dsn()) as postgres:
        truth = {
            user: (sorted(kinds), value, sessions)
            for user, kinds, value, sessions in postgres.execute(TRUE_JOURNEYS)
        }
    rows = rows_of(neonblue, JOURNEYS)

    assert len(truth) > 100
    assert len(rows) == len(truth)
    assert {
        row["user_id"]: (sorted(row["journey"]), Decimal(row["total_value"]), int(row["sessions"]))
        for row in rows
    } == truth


CHECKS = pytest.mark.parametrize("check", [check_performance, check_journeys])


@CHECKS
def test_the_queries_are_right_word_for_word(
    neonblue: CommandLine,
    settings: Settings,
    traffic: None,
    check: Callable[[CommandLine, Settings], None],
) -> None:
    check(neonblue, settings)


def test_the_queries_are_right_straight_after_a_replay(
    neonblue: CommandLine, settings: Settings, traffic: None
) -> None:
    replay(settings)

    check_performance(neonblue, settings)
    check_journeys(neonblue, settings)
    assert neonblue.json("reconcile")["agree"]


def replay(settings: Settings) -> None:
    """Let ClickHouse read the whole topic again from its first message, and wait until it has."""
    admin = AdminClient(settings.kafka.client("admin"))
    group, topic = settings.clickhouse.kafka_group, settings.kafka.topic
    partitions = range(settings.kafka.partitions)
    with connect(settings.clickhouse) as clickhouse:
        clickhouse.command("DETACH TABLE raw_events_kafka")
        until(lambda: not members(admin, group), "the consumer has left its group")
        start = [TopicPartition(topic, partition, 0) for partition in partitions]
        request = ConsumerGroupTopicPartitions(group, start)
        admin.alter_consumer_group_offsets([request])[group].result(30)
        assert sum(committed(admin, group, topic)) == 0
        clickhouse.command("ATTACH TABLE raw_events_kafka")
    ends = topic_ends(settings)
    until(
        lambda: all(at >= end for at, end in zip(committed(admin, group, topic), ends, strict=True)),
        "the topic is consumed again",
    )


def members(admin: AdminClient, group: str) -> list[Any]:
    described = admin.describe_consumer_groups([group])[group].result(30)
    return list(described.members)


def committed(admin: AdminClient, group: str, topic: str) -> list[int]:
    found = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(30)
    ours = sorted((at.partition, at.offset) for at in found.topic_partitions if at.topic == topic)
    return [offset for _, offset in ours]


def topic_ends(settings: Settings) -> list[int]:
    from confluent_kafka import Consumer

    consumer = Consumer(settings.kafka.client("admin") | {"group.id": "end-to-end-tests"})
    try:
        return [
            consumer.get_watermark_offsets(TopicPartition(settings.kafka.topic, partition))[1]
            for partition in range(settings.kafka.partitions)
        ]
    finally:
        consumer.close()
