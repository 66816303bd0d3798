from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client

from neonblue.settings import Settings
from neonblue.simulation.history.load import insert_assignments, insert_events, insert_links
from tests.integration.dbt import dbt
from tests.integration.warehouse import Topic, connect, create_ingestion_layer, rows, running

LIVE_DATABASE = "default_live"
# Each after those it reads.
REFRESHED = (
    "entered_units",
    "fresh_exposures",
    "open_totals",
    "open_journeys",
    "changed_units",
    "moments_now",
)
INGESTED = ("events_processed", "assignments", "experiments", "erased_users", "user_links", "erased_days")


@dataclass
class Warehouse:
    """A ClickHouse server with the ingestion layer, and dbt on it."""

    settings: Settings
    client: Client
    topic: Topic
    ingestion_layer: tuple[str, ...]

    def empty(self) -> None:
        """As before the first build: no rows, and nothing that dbt made."""
        self.client.command(f"DROP DATABASE IF EXISTS {LIVE_DATABASE}")
        for table in (*INGESTED, "recent_events", "dead_letters", "dropped_periods"):
            self.client.command(f"TRUNCATE TABLE {table}")
        for name, engine in rows(
            self.client,
            "SELECT name, engine FROM system.tables "
            f"WHERE database = currentDatabase() AND name NOT IN {self.ingestion_layer}",
        ):
            self.client.command(f"DROP {'VIEW' if engine == 'View' else 'TABLE'} {name}")

    def refresh_live(self) -> None:
        """What ClickHouse does every few seconds, now."""
        for view in REFRESHED:
            self.client.command(f"SYSTEM REFRESH VIEW {LIVE_DATABASE}.{view}")
            self.client.command(f"SYSTEM WAIT VIEW {LIVE_DATABASE}.{view}")

    def write(self, table: str, arrow: pa.Table) -> None:
        """Rows as they are ingested now."""
        insert = {"assignments": insert_assignments, "events": insert_events, "links": insert_links}
        insert[table](self.client, arrow)

    def dbt(self, command: str, *arguments: str, **variables: object) -> str:
        """What dbt printed. Fails the test where dbt does. A row counts as seen as soon as it is visible."""
        run = dbt(self.settings, command, *arguments, **variables)
        assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
        return run.stdout


@pytest.fixture(scope="session")
def server_with_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with running(tmp_path_factory.mktemp("warehouse")) as settings, connect(settings) as client:
        create_ingestion_layer(client)
        tables = rows(client, "SELECT name FROM system.tables WHERE database = currentDatabase()")
        yield Warehouse(settings, client, Topic(client), tuple(name for (name,) in tables))


@pytest.fixture
def warehouse(server_with_models: Warehouse) -> Iterator[Warehouse]:
    server_with_models.empty()
    yield server_with_models
    # What it refreshes every few seconds is no other test's.
    server_with_models.client.command(f"DROP DATABASE IF EXISTS {LIVE_DATABASE}")
