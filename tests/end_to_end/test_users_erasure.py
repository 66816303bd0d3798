"""A person is erased from the whole platform, does not come back by a replay or by a rebuild of the models, and is
nowhere once outbox and topic have forgotten.

Retention is brought forward: what it would drop is dropped by the very means it uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from psycopg import sql

from neonblue.clickhouse.client import connect
from neonblue.client import Client, event_of
from neonblue.settings import Settings
from orchestration.launch import launch
from tests.integration.scanning import in_clickhouse, in_postgres, in_valkey
from tests.waiting import until

from .conftest import CommandLine
from .test_queries import replay, topic_ends

# Every column of a stack that may hold real experiments is read, again and again.
pytestmark = pytest.mark.timeout(900)

UNITS = 60
OUTBOX_PARTITIONS = """
SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class JOIN pg_inherits ON inhrelid = oid
WHERE inhparent = 'outbox_events'::regclass
"""
EXPERIMENT = {
    "key": "erasure",
    "variants": [{"key": "control", "weight": 1, "is_control": True}, {"key": "treatment", "weight": 1}],
    "metrics": [
        {"key": "revenue", "type": "mean", "event_type": "purchase", "aggregation": "sum"},
        {"key": "bought", "type": "proportion", "event_type": "purchase", "aggregation": "any"},
    ],
}


@dataclass(frozen=True)
class Person:
    """Someone in the middle of an experiment. `marker`: a text in attributes and properties."""

    user_id: str
    marker: str

    @property
    def texts(self) -> tuple[str, str]:
        return self.user_id, self.marker


@pytest.fixture(scope="module")
def person(neonblue: CommandLine, settings: Settings, api: httpx.Client) -> Person:
    """A person among others, carried through to the models."""
    person = Person(f"person-{uuid4()}", f"marker-{uuid4()}")
    users = [person.user_id, *(f"other-{number}" for number in range(UNITS))]
    api.post("/v1/experiments", json=EXPERIMENT).raise_for_status()
    api.post("/v1/experiments/erasure/start").raise_for_status()
    attributes = {"attributes": {"mail": person.marker}}
    api.put(f"/v1/users/{person.user_id}", json=attributes).raise_for_status()
    with Client(settings.api.address, settings.api.token.get_secret_value()) as client:
        for user in users:
            known = {"name": person.marker} if user == person.user_id else {"name": "someone"}
            client.assign("erasure", user, attributes=known)
        receipt = client.send(
            [
                event_of(
                    "purchase",
                    user,
                    session_id=f"session-{user}",
                    value=Decimal("2.5"),
                    properties={"address": person.marker if user == person.user_id else "somewhere"},
                )
                for user in users
            ]
        )
        assert receipt.accepted == len(users)
    neonblue.run("reconcile", "--wait", "120")
    assert launch(settings, job="everything").succeeded
    return person


def places(settings: Settings, texts: tuple[str, ...], *, outbox: bool) -> set[str]:
    """Where one of the texts is found. outbox: whether to look there too."""
    skip = () if outbox else ("outbox_events",)
    with connect(settings.clickhouse) as clickhouse:
        return (
            in_postgres(settings.postgres.dsn(), texts, skip)
            | in_postgres(settings.postgres.dsn(settings.postgres.dagster_database), texts)
            | in_clickhouse(clickhouse, texts)
            | in_valkey(settings.valkey.dsn, texts)
        )


def read_topic(settings: Settings) -> Iterator[bytes]:
    """Every message that the topic still holds."""
    consumer = Consumer(settings.kafka.client("admin") | {"group.id": f"scan-{uuid4()}"})
    try:
        for number in range(settings.kafka.partitions):
            partition = TopicPartition(settings.kafka.topic, number)
            low, high = consumer.get_watermark_offsets(partition)
            consumer.assign([TopicPartition(settings.kafka.topic, number, low)])
            at = low
            while at < high:
                message = consumer.poll(10)
                assert message is not None
                assert message.error() is None
                at = message.offset() + 1
                yield message.value() or b""
    finally:
        consumer.close()


def in_topic(settings: Settings, texts: tuple[str, ...]) -> bool:
    return any(text.encode() in message for message in read_topic(settings) for text in texts)


def forget_by_retention(settings: Settings) -> None:
    """What the limits of outbox and topic would drop, dropped now."""
    with psycopg.connect(settings.postgres.dsn()) as postgres:
        for name, bounds in postgres.execute(OUTBOX_PARTITIONS).fetchall():
            postgres.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
            again = sql.SQL("CREATE TABLE {} PARTITION OF outbox_events ").format(sql.Identifier(name))
            postgres.execute(again + sql.SQL(bounds))
    admin = AdminClient(settings.kafka.client("admin"))
    ends = [
        TopicPartition(settings.kafka.topic, number, end) for number, end in enumerate(topic_ends(settings))
    ]
    for done in admin.delete_records(ends).values():
        done.result(30)


def receipt_of(api: httpx.Client, identifier: str) -> Any:
    return api.get(f"/v1/erasures/{identifier}").raise_for_status().json()


@pytest.fixture(scope="module")
def erasure(settings: Settings, api: httpx.Client, person: Person) -> str:
    """The id of the person's erasure, carried through as far as it can be at once."""
    held = places(settings, person.texts, outbox=True)
    assert {"users.attributes", "assignments.user_id", "events.properties"} <= held
    assert {"events_processed.properties", "first_exposures.user_id", "unit_metric_values.user_id"} <= held
    assert any(place.startswith("outbox_events") for place in held)
    assert in_topic(settings, person.texts)
    answer = api.delete(f"/v1/users/{person.user_id}")
    assert answer.status_code == 202, answer.text
    identifier: str = answer.json()["id"]
    until(lambda: receipt_of(api, identifier)["state"] == "retained", "only retention is left")
    return identifier


def test_an_erased_person_is_found_nowhere(settings: Settings, person: Person, erasure: str) -> None:
    assert places(settings, person.texts, outbox=False) == set()


def test_a_replay_of_the_topic_brings_nothing_back(
    neonblue: CommandLine, settings: Settings, person: Person, erasure: str
) -> None:
    replay(settings)
    assert places(settings, person.texts, outbox=False) == set()
    neonblue.run("reconcile", "--wait", "60")


def test_rebuilding_the_models_brings_nothing_back_and_leaves_the_others(
    settings: Settings, person: Person, erasure: str
) -> None:
    assert launch(settings, job="everything").succeeded
    assert places(settings, person.texts, outbox=False) == set()
    with connect(settings.clickhouse) as clickhouse:
        others = clickhouse.query(
            "SELECT uniqExact(user_id) FROM events_processed WHERE user_id LIKE 'other-%'"
        ).result_rows
    assert others == [(UNITS,)]


def test_the_receipt_is_closed_when_outbox_and_topic_have_forgotten(
    settings: Settings, api: httpx.Client, person: Person, erasure: str
) -> None:
    pending = {entry["store"]: entry["until"] for entry in receipt_of(api, erasure)["pending"]}
    assert set(pending) == {"outbox", "topic"}
    assert all(pending.values())
    kept = api.post("/v1/erasures/verify").raise_for_status().json()
    assert (kept["closed"], kept["unreachable"]) == ([], [])

    forget_by_retention(settings)
    verified = api.post("/v1/erasures/verify").raise_for_status().json()
    assert erasure in verified["closed"]
    receipt = receipt_of(api, erasure)
    assert (receipt["state"], receipt["pending"]) == ("closed", [])
    assert places(settings, person.texts, outbox=True) == set()
    assert not in_topic(settings, person.texts)
    with connect(settings.clickhouse) as clickhouse:
        assert clickhouse.query("SELECT count() FROM erased_users").result_rows == [(0,)]
    assert api.delete(f"/v1/users/{person.user_id}").status_code == 404
