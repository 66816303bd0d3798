"""On a whole stream, through Debezium and Kafka: what ClickHouse has lost comes back, and nothing else changes."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import psycopg
import pytest
from clickhouse_connect.driver.client import Client
from typer.testing import Result

from neonblue.clickhouse.client import connect
from neonblue.reconciliation import Counts, reconcile
from neonblue.reconciliation.compare import Kind
from neonblue.republication import repair
from neonblue.republication.repair import TURN
from neonblue.settings import Role, Settings
from neonblue.stack import Stack
from tests import command_line
from tests.integration.api.people.conftest import client_of
from tests.integration.api.people.test_erasure import erase, receipt_of
from tests.integration.republication.messages import (
    contents,
    every_experiment,
    every_person,
    send,
)
from tests.integration.stack.conftest import new_folder, settings_in
from tests.waiting import until

SERVICES = {"postgres", "valkey", "kafka", "connect", "clickhouse", "api"}
WAIT_SECONDS = 90.0
EVENTS = 2_500


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    folder = new_folder()
    try:
        made = settings_in(folder)
        api = made.api.model_copy(update={"erasure_settle_seconds": 2.0})
        yield made.model_copy(update={"api": api})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(settings: Settings) -> Iterator[tuple[httpx.Client, Client]]:
    with Stack(settings, services=SERVICES) as stack:
        stack.wait_ready(timeout=300)
        with client_of(stack.settings) as api, connect(stack.settings.clickhouse) as clickhouse:
            yield api, clickhouse


def live(settings: Settings, api: httpx.Client) -> str:
    """Everything that can be accepted, and somebody erased who came back; the person."""
    person = every_person(api, *every_experiment(api))
    events = [{"user_id": f"u-{n % 97}", "event_type": "page_view", "value": n / 8} for n in range(EVENTS)]
    for start in range(0, EVENTS, 500):
        send(api, *events[start : start + 500])
    assert reconcile(settings, WAIT_SECONDS).agree
    erasure = erase(api, person)
    until(lambda: receipt_of(api, erasure)["state"] == "retained", "the person is gone")
    send(api, {"user_id": person, "event_type": "came_back"})
    assert reconcile(settings, WAIT_SECONDS).agree
    return person


def lose(clickhouse: Client, table: str, condition: str) -> None:
    clickhouse.command(f"ALTER TABLE {table} DELETE WHERE {condition}", settings={"mutations_sync": 2})


def totals(settings: Settings) -> list[tuple[Kind, Counts]]:
    return [(kind, compared.total) for kind, compared in reconcile(settings).rows.items()]


def repaired_since(settings: Settings, instant: datetime) -> tuple[dict[str, int], int]:
    """What all repairs together published and restored, as the audit log has it."""
    rows: Counter[str] = Counter()
    restored = 0
    with psycopg.connect(settings.postgres.acting(Role.API).dsn()) as connection:
        query = "SELECT after FROM audit_log WHERE action = 'repaired' AND at >= %s"
        for (after,) in connection.execute(query, (instant,)):
            rows.update(after["rows"])
            restored += after["restored"]
    return dict(rows), restored


def call(settings: Settings, *arguments: str) -> Result:
    return command_line.invoke(*arguments, "--data-dir", str(settings.data_dir))


def test_what_was_lost_comes_back_and_a_second_repair_changes_nothing(settings: Settings) -> None:
    with running(settings) as (api, clickhouse):
        person = live(settings, api)
        held = contents(clickhouse)
        lose(clickhouse, "events_processed", "toSecond(timestamp) % 2 = 0 OR value > 100")
        lose(clickhouse, "assignments", "1")
        lose(clickhouse, "user_links", "1")
        lose(clickhouse, "experiments", "version > 1")
        missing = {kind: rows.total.missing for kind, rows in reconcile(settings).rows.items()}
        assert all(missing[kind] for kind in Kind if kind is not Kind.ERASURES)
        told = call(settings, "reconcile")

        repaired = call(settings, "reconcile", "--repair", "--json")
        again = repair(settings, wait_seconds=WAIT_SECONDS)

        assert (told.exit_code, repaired.exit_code) == (1, 0), repaired.output
        assert "neonblue reconcile --repair" in told.output
        published = Counter(json.loads(repaired.stdout)["republished"]["rows"])
        assert published == +Counter({kind.value: number for kind, number in missing.items()})
        assert contents(clickhouse) == held
        assert (again.rows, again.equal) == (0, True)

    loss = datetime.now(UTC)
    shutil.rmtree(settings.data_dir / "clickhouse")
    with running(settings) as (api, clickhouse):
        assert not contents(clickhouse)["events_processed"]

        # Beside the supervisor, which has seen the loss as well.
        with ThreadPoolExecutor() as both:
            repairs = [both.submit(repair, settings, wait_seconds=WAIT_SECONDS) for _ in range(2)]

        assert all(one.result().equal for one in repairs)
        rows, restored = repaired_since(settings, loss)
        assert rows == {
            kind.value: count.accepted for kind, count in totals(settings) if kind is not Kind.ERASURES
        }
        assert restored == 2  # the person, and the id from before it was known
        assert contents(clickhouse) == held
        kept = "SELECT groupArray(event_type) FROM events_processed FINAL WHERE user_id = {user:String}"
        assert clickhouse.query(kept, parameters={"user": person}).result_rows == [(["came_back"],)]

        began = clickhouse.query("SELECT now64(3, 'UTC')").result_rows[0][0]
        whole = call(settings, "republish")
        assert whole.exit_code == 0, whole.output
        older = "SELECT count() FROM events_processed FINAL WHERE ingested_at < {began:DateTime64(3, 'UTC')}"
        until(
            lambda: not clickhouse.query(older, parameters={"began": began}).result_rows[0][0],
            "each event has arrived once more",
        )
        assert contents(clickhouse) == held
        assert reconcile(settings).agree
        span = call(settings, "republish", "--dry-run", "--json", "--to", "2000-01-01", "--kind", "events")
        assert json.loads(span.stdout)["events"] == {}

        with psycopg.connect(settings.postgres.dsn()) as another:
            another.execute("SELECT pg_advisory_lock(%s)", (TURN,))
            waiting = call(settings, "reconcile", "--repair", "--wait", "1")
            assert waiting.exit_code != 0
            assert "another repair has been under way for 1 s" in " ".join(waiting.output.split())
