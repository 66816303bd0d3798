"""Dagster's storage on kept connections."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from dagster import DagsterInstance

from neonblue.settings import Settings
from neonblue.stack.services.dagster import DagsterCode, environment, home
from tests.integration.api.conftest import running_postgres


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Of a stack of which only PostgreSQL runs."""
    with running_postgres(tmp_path_factory.mktemp("storage")) as (settings, _):
        DagsterCode(settings).prepare()
        yield settings


@pytest.fixture
def instance(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> DagsterInstance:
    """The stack's instance of Dagster, with its tables."""
    for name, value in environment(settings, DagsterCode.name).items():
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
