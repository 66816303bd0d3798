"""Days and months go when they are past their retention, announced, unneeded, and the other store allows it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from dagster import (
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    DagsterInstance,
    EventLogEntry,
    materialize,
)
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from psycopg import sql

from neonblue.reconciliation import reconcile
from neonblue.reconciliation.compare import Kind
from neonblue.settings import Settings
from orchestration.defs.maintenance.assets import (
    ANALYSIS_STORAGE,
    EVENT_PARTITIONS,
    HELD_BACK,
    analysis_storage,
    event_partitions,
)
from orchestration.defs.maintenance.letting_go import ANNOUNCED
from orchestration.defs.reconciliation.checks import accepted_events_are_present
from orchestration.resources import ClickHouse, Postgres
from tests.integration.api.conftest import Server
from tests.integration.orchestration.conftest import Analysis

NOW = datetime.now(UTC)
TODAY = NOW.date()
DAY = timedelta(days=1)


def day(ago: int) -> date:
    return TODAY - ago * DAY


@pytest.fixture
def owner(
    postgres: Server, analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[psycopg.Connection]:
    """PostgreSQL without events and experiments, where the settings lead. Events are not kept for ever."""
    monkeypatch.setenv("NEONBLUE_RETENTION_EVENTS_DAYS", "400")
    monkeypatch.setenv("NEONBLUE_RETENTION_ANALYSIS_MONTHS", "25")
    monkeypatch.setenv("NEONBLUE_POSTGRES_URL", postgres.dsn)
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        partitions = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass"
        for (name,) in connection.execute(partitions).fetchall():
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
        _forget_experiments(connection)
        yield connection


def _forget_experiments(connection: psycopg.Connection) -> None:
    """Those of other files too, with their looks and versions, which nobody may delete."""
    append_only = """SELECT tgrelid::regclass::text FROM pg_trigger
        JOIN pg_proc ON pg_proc.oid = tgfoid WHERE proname = 'refuse_change' GROUP BY 1"""
    tables = [sql.Identifier(name) for (name,) in connection.execute(append_only).fetchall()]
    with connection.transaction():
        for table in tables:
            connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
        connection.execute("TRUNCATE experiments CASCADE")
        for table in tables:
            connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(table))


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as found:
        yield found


def accept(
    owner: psycopg.Connection,
    analysis: Analysis,
    on: date,
    *,
    accepted_on: date | None = None,
    arrived: bool = True,
    stored: bool = True,
) -> None:
    """Three events of the day, in both stores."""
    owner.execute(
        sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF events FOR VALUES FROM ({}) TO ({})").format(
            sql.Identifier(f"events_{on:%Y%m%d}"),
            sql.Literal(on.isoformat()),
            sql.Literal((on + DAY).isoformat()),
        )
    )
    at = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    received = at if accepted_on is None else datetime.combine(accepted_on, at.timetz())
    for number in range(3):
        event = uuid4()
        if stored:
            owner.execute(
                "INSERT INTO events (day, id, timestamp, received_at, user_id, unit_type, event_type, value) "
                "VALUES (%s, %s, %s, %s, 'u', 'user', 'e', %s)",
                (on, event, at, received, number),
            )
        if arrived:
            delay = round((received - at).total_seconds() * 1_000_000)
            analysis.client.insert(
                "events_processed",
                [[event, 0, "u", "user", "e", at, number, delay, 0]],
                column_names=[
                    "event_id", "experiment_id", "user_id", "unit_type", "event_type", "timestamp", "value",
                    "received_delay", "ingested_delay",
                ],
            )  # fmt: skip


def announce(instance: DagsterInstance, key: AssetKey, before: date, ago: int = 31) -> None:
    """As a run of so many days ago did."""
    said = AssetMaterialization(key, metadata={ANNOUNCED: before.isoformat()})
    instance.event_log_storage.store_event(
        EventLogEntry(
            error_info=None,
            level=logging.INFO,
            user_message="",
            run_id=str(uuid4()),
            timestamp=(NOW - ago * DAY).timestamp(),
            dagster_event=DagsterEvent(
                DagsterEventType.ASSET_MATERIALIZATION.value,
                "maintenance",
                event_specific_data=StepMaterializationData(said),
            ),
        )
    )


def experiment(
    owner: psycopg.Connection, key: str, status: str, started: date, decided: bool = False
) -> None:
    owner.execute(
        "INSERT INTO experiments (key, salt, status, started_at, decision) VALUES (%s, 's', %s, %s, %s)",
        (key, status, started, '{"variant": "b"}' if decided else None),
    )


def run(instance: DagsterInstance, asset: AssetsDefinition) -> list[str]:
    """What the run said is held back."""
    resources = {"postgres": Postgres(), "clickhouse": ClickHouse()}
    result = materialize([asset], instance=instance, resources=resources)
    (made,) = result.asset_materializations_for_node(asset.node_def.name)
    return [str(line) for line in made.metadata[HELD_BACK].value or []]


def kept_days(owner: psycopg.Connection) -> list[date]:
    return [row[0] for row in owner.execute("SELECT DISTINCT day FROM events ORDER BY day")]


def kept_months(analysis: Analysis) -> list[int]:
    found = analysis.client.query("SELECT DISTINCT toYYYYMM(timestamp) FROM events_processed ORDER BY 1")
    return [int(month) for (month,) in found.result_rows]


def test_what_is_past_goes_from_postgresql_where_clickhouse_holds_it(
    owner: psycopg.Connection, analysis: Analysis, instance: DagsterInstance
) -> None:
    accept(owner, analysis, day(500))
    accept(owner, analysis, day(499), arrived=False)
    accept(owner, analysis, day(498))
    accept(owner, analysis, day(498), stored=False)
    accept(owner, analysis, day(497), accepted_on=day(3))
    accept(owner, analysis, day(402))
    accept(owner, analysis, day(399))
    accept(owner, analysis, TODAY)
    announce(instance, EVENT_PARTITIONS, day(400))

    said = run(instance, event_partitions)

    assert kept_days(owner) == [day(499), day(498), day(497), day(399), TODAY]
    tail = "'neonblue reconcile' names those that differ"
    assert [line for line in said if "ClickHouse" in line] == [
        f"events of {day(499)} stay in PostgreSQL: it has 3, ClickHouse 0; {tail}",
        f"events of {day(498)} stay in PostgreSQL: it has 3, ClickHouse 6; {tail}",
    ]


def test_a_day_that_somebody_reads_stays_for_the_next_night_and_nobody_waits_for_it(
    owner: psycopg.Connection, analysis: Analysis, instance: DagsterInstance, postgres: Server
) -> None:
    """Whoever writes waits behind whoever wants to drop, who waits behind whoever reads."""
    accept(owner, analysis, day(450))
    accept(owner, analysis, day(440))
    accept(owner, analysis, TODAY)
    announce(instance, EVENT_PARTITIONS, day(370))
    with psycopg.connect(postgres.dsn) as reader, ThreadPoolExecutor() as aside:
        reader.execute("SELECT count(*) FROM events WHERE day = %s", (TODAY,))
        night = aside.submit(run, instance, event_partitions)
        try:
            said = night.result(timeout=60)
        finally:
            reader.rollback()
            night.result(timeout=60)

    assert kept_days(owner) == [day(450), day(440), TODAY]
    assert said == [
        f"events of the days from {day(450)} to {day(440)} stay until the next night: somebody reads 'events' for long"
    ]
    assert run(instance, event_partitions) == []
    assert kept_days(owner) == [TODAY]


def test_what_grew_before_the_setting_waits_for_the_notice(
    owner: psycopg.Connection, analysis: Analysis, instance: DagsterInstance
) -> None:
    accept(owner, analysis, day(800))
    accept(owner, analysis, day(401))
    accept(owner, analysis, TODAY)

    (said,) = run(instance, event_partitions)
    run(instance, event_partitions)

    assert kept_days(owner) == [day(800), day(401), TODAY]
    assert f"from {day(800)} to" in said
    assert "NEONBLUE_RETENTION_EVENTS_DAYS=0" in said


def test_all_is_kept_unless_it_is_set(
    owner: psycopg.Connection,
    analysis: Analysis,
    instance: DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NEONBLUE_RETENTION_EVENTS_DAYS")
    monkeypatch.delenv("NEONBLUE_RETENTION_ANALYSIS_MONTHS")
    accept(owner, analysis, day(2_000))
    accept(owner, analysis, TODAY)
    for key, asset in ((EVENT_PARTITIONS, event_partitions), (ANALYSIS_STORAGE, analysis_storage)):
        announce(instance, key, day(30))
        assert run(instance, asset) == []

    assert kept_days(owner) == [day(2_000), TODAY]
    assert len(kept_months(analysis)) == 2


@pytest.mark.parametrize(
    ("status", "decided", "needs"),
    [
        ("draft", False, False),
        ("scheduled", False, False),
        ("running", False, True),
        ("paused", False, True),
        ("concluded", False, True),
        ("concluded", True, False),
        ("archived", False, False),
        ("archived", True, False),
    ],
)
def test_an_experiment_keeps_its_days_and_months_until_it_is_decided(
    owner: psycopg.Connection,
    analysis: Analysis,
    instance: DagsterInstance,
    status: str,
    decided: bool,
    needs: bool,
) -> None:
    began, old = day(1_000), day(1_200)
    accept(owner, analysis, old)
    accept(owner, analysis, began)
    accept(owner, analysis, TODAY)
    experiment(owner, "long", status, began, decided)
    announce(instance, EVENT_PARTITIONS, day(370))
    announce(instance, ANALYSIS_STORAGE, day(600))

    of_days = run(instance, event_partitions)
    owner.execute("DELETE FROM events WHERE day < %s", (day(900),))
    for (name,) in owner.execute(
        "SELECT relname FROM pg_class WHERE relname ~ '^events_2' AND relname < %s AND relkind = 'r'",
        (f"events_{day(900):%Y%m%d}",),
    ).fetchall():
        owner.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
    of_months = run(instance, analysis_storage)

    for said in (of_days, of_months):
        assert any("experiment long is not decided" in line for line in said) == needs
    assert kept_months(analysis) == [
        *([int(f"{began:%Y%m}")] if needs else []),
        int(f"{TODAY:%Y%m}"),
    ]


def test_a_month_stays_in_clickhouse_while_postgresql_has_its_days(
    owner: psycopg.Connection, analysis: Analysis, instance: DagsterInstance
) -> None:
    accept(owner, analysis, day(1_200))
    accept(owner, analysis, day(1_000), stored=False)
    accept(owner, analysis, TODAY)
    announce(instance, ANALYSIS_STORAGE, day(600))

    said = run(instance, analysis_storage)

    assert len(kept_months(analysis)) == 3
    assert any("PostgreSQL keeps them" in line for line in said)


def test_what_was_imported_lately_is_not_past(
    owner: psycopg.Connection, analysis: Analysis, instance: DagsterInstance
) -> None:
    accept(owner, analysis, day(3_000), accepted_on=day(1), stored=False)
    owner.execute("DROP TABLE " + f"events_{day(3_000):%Y%m%d}")
    accept(owner, analysis, TODAY)
    announce(instance, ANALYSIS_STORAGE, day(600))

    run(instance, analysis_storage)

    assert kept_months(analysis) == [int(f"{day(3_000):%Y%m}"), int(f"{TODAY:%Y%m}")]


def test_what_postgresql_let_go_is_not_missed(
    owner: psycopg.Connection, analysis: Analysis, instance: DagsterInstance
) -> None:
    """Nor are days between those that stay."""
    accept(owner, analysis, day(900), accepted_on=day(3))
    accept(owner, analysis, day(500))
    accept(owner, analysis, day(450))
    accept(owner, analysis, day(1))
    announce(instance, EVENT_PARTITIONS, day(370))
    run(instance, event_partitions)
    assert kept_days(owner) == [day(900), day(1)]

    assert accepted_events_are_present(clickhouse=ClickHouse(), postgres=Postgres()).passed
    comparison = reconcile(Settings.load()).rows[Kind.EVENTS]
    assert (comparison.total.agree, comparison.total.present, comparison.retired) == (True, 6, 6)
    # One is imported late, and its day is made anew.
    accept(owner, analysis, day(500))
    assert accepted_events_are_present(clickhouse=ClickHouse(), postgres=Postgres()).passed
    comparison = reconcile(Settings.load()).rows[Kind.EVENTS]
    assert (comparison.total.agree, comparison.total.present, comparison.retired) == (True, 9, 6)
    accept(owner, analysis, day(500), arrived=False)
    assert reconcile(Settings.load()).rows[Kind.EVENTS].total.missing == 3
    accept(owner, analysis, day(900), arrived=False)
    assert not accepted_events_are_present(clickhouse=ClickHouse(), postgres=Postgres()).passed
