"""What breaks the stream is mended while events come in: no acknowledged event is missing, and people are told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import httpx
import psycopg
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]
from pydantic import SecretStr

from neonblue.clickhouse.client import connect
from neonblue.settings import Role, Settings
from neonblue.stack import Stack
from neonblue.stack.services import templates
from neonblue.stack.services.connect import credentials
from neonblue.stack.services.connector import Connector
from neonblue.stack.services.kafka import admin
from neonblue.stack.services.stream_memory import StreamMemory
from neonblue.stack.services.topics import Topics
from neonblue.stack.supervisor import probe
from tests.integration.stack.loading import Load, receiver
from tests.waiting import until

SERVICES = {"postgres", "valkey", "kafka", "connect", "clickhouse", "api"}
MINUTE = 60.0
OLD_DAY = """
DO $$ BEGIN EXECUTE format(
    'CREATE TABLE outbox_of_an_old_day PARTITION OF outbox_events FOR VALUES FROM (%L) TO (%L)',
    (now() AT TIME ZONE 'UTC')::date - 9, (now() AT TIME ZONE 'UTC')::date - 8
); END $$
"""
OLD_ROW = """
INSERT INTO outbox_events (created_at, aggregate_type, aggregate_id, event_type, payload)
SELECT created_at - interval '9 days', aggregate_type, aggregate_id, event_type, payload
FROM outbox_events ORDER BY created_at DESC LIMIT 1
"""


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[str, list[dict[str, str]]]]:
    with receiver() as opened:
        yield opened


@pytest.fixture(scope="module")
def stack(module_settings: Settings, told: tuple[str, list[dict[str, str]]]) -> Iterator[Stack]:
    alert = module_settings.alert.model_copy(update={"urls": (SecretStr(told[0]),)})
    with Stack(module_settings.model_copy(update={"alert": alert}), services=SERVICES) as running:
        running.wait_ready()
        yield running


@pytest.fixture
def settings(stack: Stack) -> Settings:
    """All is well before each test."""
    stack.wait_ready(timeout=180)
    return stack.settings


@pytest.fixture
def load(settings: Settings) -> Iterator[Load]:
    with Load(settings) as running:
        running.goes_on()
        yield running


def connector(settings: Settings) -> str:
    return f"{settings.connect.address}/connectors/{settings.connect.connector}"


def runs(settings: Settings) -> bool:
    try:
        states = probe.get(f"{connector(settings)}/status", **credentials(settings.connect)).json()
    except httpx.HTTPError:
        return False
    return bool(states["tasks"]) and {part["state"] for part in (states["connector"], *states["tasks"])} == {
        "RUNNING"
    }


def execute(settings: Settings, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.postgres.dsn(), autocommit=True) as connection:
        cursor = connection.execute(query.encode(), values)
        return cursor.fetchall() if cursor.description else []


def delete_topic(settings: Settings, name: str) -> None:
    client = admin(settings)
    for future in client.delete_topics([name]).values():
        future.result(timeout=10)


def test_a_trouble_is_told_within_a_minute_with_its_command_and_so_is_its_end(
    stack: Stack,
    settings: Settings,
    load: Load,
    told: tuple[str, list[dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    received = told[1]
    with monkeypatch.context() as idle:
        idle.setattr(Connector, "mend", lambda _: None)
        received.clear()
        probe.put(f"{connector(settings)}/pause", None, **credentials(settings.connect))
        until(
            lambda: all(title(received, part) for part in ("connector", "api/stream")),
            "both are told",
            MINUTE,
        )
        for part in ("connector", "api/stream"):
            (message,) = title(received, part)
            assert "neonblue logs connect" in message["message"]
        shown = subprocess.run(
            [sys.executable, "-m", "neonblue.cli.main", "status", "--data-dir", str(settings.data_dir)],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = " ".join(shown.stdout.split())
        assert "connector: unready: connector PAUSED" in lines
        assert "stream: behind: nothing published for " in lines
        assert "neonblue logs connect" in lines
        ready = httpx.get(f"{settings.api.address}/readyz", trust_env=False)
        assert ready.json()["components"]["stream"].startswith("behind: nothing published for ")
        assert ready.json()["ready"]

    for part in ("connector", "api/stream"):
        until(lambda part=part: title(received, f"{part} is over"), f"{part} is over", 2 * MINUTE)
    load.arrives()


def title(received: list[dict[str, str]], words: str) -> list[dict[str, str]]:
    return [message for message in received if message["title"] == f"NeonBlue: {words}"]


def test_the_stream_is_never_called_behind_while_it_is_idle(settings: Settings) -> None:
    """Over several heartbeats, the last of them long after the last event."""
    deadline, oldest = time.monotonic() + 45, 0.0
    while time.monotonic() < deadline:
        metrics = httpx.get(f"{settings.api.address}/metrics", trust_env=False).text
        line = next(one for one in metrics.splitlines() if one.startswith("neonblue_pipeline_age_seconds "))
        oldest = max(oldest, float(line.split()[1]))
        time.sleep(0.5)
    assert 0 < oldest < 25


def test_a_deleted_connector_is_registered_again(settings: Settings, load: Load) -> None:
    httpx.delete(connector(settings), trust_env=False, **credentials(settings.connect)).raise_for_status()

    until(lambda: runs(settings), "the connector runs again", MINUTE)
    load.goes_on()
    load.arrives()


def test_an_old_day_of_the_outbox_goes_once_debezium_has_confirmed_it(settings: Settings, load: Load) -> None:
    with psycopg.connect(settings.postgres.acting(Role.API).dsn(), autocommit=True) as connection:
        connection.execute(OLD_DAY)
        connection.execute(OLD_ROW)

    def gone() -> bool:
        return execute(settings, "SELECT to_regclass('outbox_of_an_old_day') IS NULL") == [(True,)]

    until(gone, "the old day is dropped", 3 * MINUTE)
    load.arrives()


@pytest.mark.parametrize("how", ["pause", "stop"])
def test_a_connector_that_was_paused_or_stopped_goes_on(settings: Settings, load: Load, how: str) -> None:
    probe.put(f"{connector(settings)}/{how}", None, **credentials(settings.connect))
    until(lambda: not runs(settings), "it has stopped")

    until(lambda: runs(settings), "it runs again", MINUTE)
    load.goes_on()
    load.arrives()


def test_a_connector_with_another_configuration_gets_its_own_back(settings: Settings, load: Load) -> None:
    wanted = templates.connector(settings)
    probe.put(
        f"{connector(settings)}/config",
        wanted | {"table.include.list": "public.none"},
        **credentials(settings.connect),
    )

    def restored() -> bool:
        found = probe.get(f"{connector(settings)}/config", **credentials(settings.connect)).json()
        return {name: value for name, value in found.items() if name != "name"} == wanted

    until(restored, "its configuration is back", MINUTE)
    load.goes_on()
    load.arrives()


def test_connects_offsets_that_were_deleted_are_made_up_for(settings: Settings, load: Load) -> None:
    caller = credentials(settings.connect)
    probe.put(f"{connector(settings)}/stop", None, **caller)

    def deleted() -> bool:
        # The supervisor may have resumed it meanwhile.
        answer = httpx.delete(f"{connector(settings)}/offsets", trust_env=False, timeout=30, **caller)
        if answer.is_success:
            return True
        probe.put(f"{connector(settings)}/stop", None, **caller)
        return False

    until(deleted, "the offsets are deleted")
    load.goes_on()
    load.arrives()


def test_a_slot_that_was_dropped_under_load_is_made_anew(settings: Settings, load: Load) -> None:
    def dropped() -> bool:
        execute(
            settings,
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s",
            settings.connect.slot,
        )
        try:
            execute(settings, "SELECT pg_drop_replication_slot(%s)", settings.connect.slot)
        except psycopg.errors.ObjectInUse:
            return False
        return True

    until(dropped, "the slot is dropped")
    load.goes_on()
    load.arrives()
    assert runs(settings)


@pytest.mark.parametrize(
    "name", ["neonblue_connect_configs", "neonblue_connect_offsets", "neonblue_connect_status"]
)
def test_a_topic_of_connect_that_was_deleted_costs_nothing(
    stack: Stack, settings: Settings, load: Load, name: str
) -> None:
    process = stack.pids()["connect"]
    delete_topic(settings, name)

    stack.wait_restarted("connect", process)
    stack.wait_ready(timeout=MINUTE)
    load.goes_on()
    load.arrives()


def test_the_topic_of_heartbeats_that_was_deleted_costs_nothing(settings: Settings, load: Load) -> None:
    delete_topic(settings, "neonblue_heartbeat.neonblue")
    (end,) = execute(settings, "SELECT pg_current_wal_lsn()::text")[0]

    def confirmed() -> bool:
        query = "SELECT confirmed_flush_lsn > %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s"
        return execute(settings, query, end, settings.connect.slot) == [(True,)]

    until(confirmed, "the slot moves on", MINUTE)
    load.goes_on()
    load.arrives()


needs_republication = pytest.mark.skipif(
    find_spec("neonblue.republication") is None, reason="nothing publishes again what is missing"
)


@needs_republication
@pytest.mark.parametrize("then", ["is made by the supervisor", "is made by somebody"])
def test_a_topic_that_was_deleted_under_load_is_made_anew_and_what_it_held_published_again(
    settings: Settings, load: Load, then: str
) -> None:
    delete_topic(settings, settings.kafka.topic)
    if then == "is made by somebody":
        make_topic(settings)

    until(lambda: StreamMemory(settings.data_dir).read().to_repair, "the loss is noted")
    load.goes_on()
    load.arrives(180)
    until(lambda: not StreamMemory(settings.data_dir).read().to_repair, "the repair is done", 180)


def test_a_topic_that_stays_away_until_its_reader_has_seen_it_is_read_soon_after(
    settings: Settings, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = admin(settings)

    def partitions() -> int:
        described = client.describe_consumer_groups([settings.clickhouse.kafka_group])
        (members,) = (future.result(timeout=10).members for future in described.values())
        return sum(len(member.assignment.topic_partitions) for member in members)

    until(lambda: partitions() > settings.kafka.partitions, "both topics are read")
    with monkeypatch.context() as away:
        away.setattr(Topics, "mend", lambda _: None)
        delete_topic(settings, settings.kafka.topic)
        until(lambda: partitions() <= settings.kafka.partitions, "the reader has seen that it is gone")

    until(lambda: partitions() > settings.kafka.partitions, "the reader has it again", MINUTE)
    load.arrives(180)
    until(lambda: not StreamMemory(settings.data_dir).read().to_repair, "the repair is done", 180)


@needs_republication
def test_a_view_that_was_dropped_under_load_comes_back_and_what_it_missed_is_published_again(
    settings: Settings, load: Load
) -> None:
    with connect(settings.clickhouse) as client:
        client.command("DROP TABLE events_kafka_mv")

    load.goes_on()
    load.arrives(180)
    until(lambda: not StreamMemory(settings.data_dir).read().to_repair, "the repair is done", 180)


def make_topic(settings: Settings) -> None:
    client = admin(settings)

    def made() -> bool:
        new = NewTopic(settings.kafka.topic, num_partitions=settings.kafka.partitions)
        try:
            for future in client.create_topics([new]).values():
                future.result(timeout=10)
        except KafkaException:
            return False
        return True

    until(made, "the topic is made anew")
