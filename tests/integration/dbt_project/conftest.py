from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from clickhouse_connect.driver.client import Client

from neonblue.settings import Settings
from orchestration.project import dbt_environment, dbt_executable, project_path
from tests.integration.warehouse import Topic, connect, create_ingestion_layer, running


@dataclass
class Warehouse:
    """A ClickHouse server with the ingestion layer, and dbt on it."""

    settings: Settings
    client: Client
    topic: Topic

    def empty(self) -> None:
        for table in ("events_processed", "assignments", "experiments", "erased_users", "dead_letters"):
            self.client.command(f"TRUNCATE TABLE {table}")

    def dbt(self, *arguments: str) -> str:
        """What dbt printed. Fails the test where dbt does."""
        run = subprocess.run(
            [
                dbt_executable(),
                *arguments,
                "--project-dir",
                str(project_path()),
                "--profiles-dir",
                str(project_path()),
            ],
            env={**os.environ, **dbt_environment(self.settings)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
        return run.stdout


@pytest.fixture(scope="session")
def server_with_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with running(tmp_path_factory.mktemp("warehouse")) as settings, connect(settings) as client:
        create_ingestion_layer(client)
        yield Warehouse(settings, client, Topic(client))


@pytest.fixture
def warehouse(server_with_models: Warehouse) -> Warehouse:
    server_with_models.empty()
    return server_with_models
