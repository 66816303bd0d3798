"""Dagster's storage on kept connections."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetKey,
    DagsterInstance,
    DagsterRunStatus,
    asset_check,
    job,
    materialize,
    op,
)
from dagster import asset as asset_of

from neonblue.settings import Settings
from neonblue.stack.services.dagster import DagsterCode, environment, home
from orchestration.defs.maintenance.history import delete_check_results, delete_folders, delete_runs
from tests.integration.api.conftest import running_postgres


@op
def _nothing() -> None: ...


@job
def _job() -> None:
    _nothing()


@asset_of(name="checked")
def _checked() -> None: ...


@asset_check(asset=_checked, name="holds")
def _check() -> AssetCheckResult:
    return AssetCheckResult(passed=True)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Of a stack of which only PostgreSQL runs."""
    with running_postgres(tmp_path_factory.mktemp("storage")) as (settings, _):
        DagsterCode(settings).prepare()
        yield settings


@pytest.fixture
def instance(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> DagsterInstance:
    """The stack's instance of Dagster, with its tables."""
    for name, value in environment(settings, DagsterCode).items():
        monkeypatch.setenv(name, value)
    found = DagsterInstance.from_config(str(home(settings)))
    found.get_runs_count()
    return found


def sessions(settings: Settings) -> int:
    """How often anybody logged in to Dagster's database."""
    with psycopg.connect(settings.postgres.dsn()) as connection:
        row = connection.execute(
            "SELECT sessions FROM pg_stat_database WHERE datname = %s", (settings.postgres.dagster_database,)
        ).fetchone()
    assert row is not None
    count: int = row[0]
    return count


def test_queries_share_a_connection(settings: Settings, instance: DagsterInstance) -> None:
    before = sessions(settings)

    for _ in range(20):
        instance.get_runs_count()
        instance.all_instigator_state()
        instance.get_asset_keys()

    assert sessions(settings) - before <= 1


def test_instances_of_a_process_share_it_too(settings: Settings, instance: DagsterInstance) -> None:
    before = sessions(settings)

    for _ in range(5):
        DagsterInstance.from_ref(instance.get_ref()).get_runs_count()

    assert sessions(settings) - before <= 1


def test_a_connection_that_postgresql_ended_is_replaced(
    settings: Settings, instance: DagsterInstance
) -> None:
    instance.get_runs_count()
    with psycopg.connect(settings.postgres.dsn(), autocommit=True) as connection:
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s",
            (settings.postgres.dagster_database,),
        ).fetchone()

    assert ended is not None
    assert ended[0] >= 1
    assert instance.get_runs_count() == 0


def finished(instance: DagsterInstance, asset: str, ago: timedelta) -> str:
    """A run of that asset which ended so long ago; its id."""

    @asset_of(name=asset)
    def made() -> None: ...

    result = materialize([made], instance=instance)
    with psycopg.connect(environment_dsn()) as connection:
        connection.execute(
            "UPDATE runs SET update_timestamp = now() AT TIME ZONE 'UTC' - %s WHERE run_id = %s",
            (ago, result.run_id),
        )
    return result.run_id


def environment_dsn() -> str:
    return os.environ["DAGSTER_POSTGRES_URL"].replace("postgresql+psycopg2://", "postgresql://", 1)


def test_old_runs_go_with_their_events_and_the_newest_of_each_asset_stays(instance: DagsterInstance) -> None:
    month = timedelta(days=30)
    old, older_but_newest = finished(instance, "a", 4 * month), finished(instance, "b", 5 * month)
    again = finished(instance, "a", 3 * month)
    unfinished = instance.create_run_for_job(_job, status=DagsterRunStatus.STARTED)
    young = finished(instance, "c", month)
    finished(instance, "c", month / 30)

    assert delete_runs(instance, datetime.now(UTC) - 2 * month, seconds=0.0) == 0
    assert delete_runs(instance, datetime.now(UTC) - 2 * month) == 1

    assert not instance.has_run(old)
    assert instance.all_logs(old) == []
    for kept in (older_but_newest, again, unfinished.run_id, young):
        assert instance.has_run(kept)
    assert instance.get_latest_materialization_event(AssetKey("b")) is not None
    assert len(instance.fetch_materializations(AssetKey("a"), limit=5).records) == 1


def test_of_each_check_the_newest_result_stays(instance: DagsterInstance) -> None:
    for _ in range(3):
        materialize([_checked, _check], instance=instance)
    with psycopg.connect(environment_dsn()) as connection:
        connection.execute("UPDATE asset_check_executions SET create_timestamp = now() - interval '90 days'")

    assert delete_check_results(instance, datetime.now(UTC) - timedelta(days=120)) == 0
    assert delete_check_results(instance, datetime.now(UTC) - timedelta(days=60)) == 2

    key = AssetCheckKey(AssetKey("checked"), "holds")
    assert instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key] is not None


def test_folders_that_were_left_go(tmp_path: Path) -> None:
    for name, ago in (("old", 10), ("young", 1)):
        (tmp_path / name).mkdir()
        when = (datetime.now(UTC) - timedelta(days=ago)).timestamp()
        os.utime(tmp_path / name, (when, when))
    (tmp_path / "manifest.json").write_text("{}")
    os.utime(tmp_path / "manifest.json", (0, 0))
    (tmp_path / "link").symlink_to(tmp_path / "young")

    assert delete_folders(tmp_path, datetime.now(UTC) - timedelta(days=7)) == 1
    assert delete_folders(tmp_path / "nothing", datetime.now(UTC)) == 0

    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "manifest.json", "young"]
