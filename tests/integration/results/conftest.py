"""The API over PostgreSQL and ClickHouse, with what it wrote carried from its outbox and the models built on it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from clickhouse_connect.driver.client import Client
from psycopg import sql

from api.migrations import upgrade
from neonblue.settings import Settings
from orchestration.building import build
from tests.integration.api.conftest import TOKEN, Server, postgres, wait_until
from tests.integration.dbt import dbt
from tests.integration.dbt_project.conftest import LIVE_DATABASE, REFRESHED
from tests.integration.results import history
from tests.integration.warehouse import (
    Topic,
    connect,
    create_ingestion_layer,
    envelope,
    environment,
    free_port,
    running,
)

__all__ = ["postgres"]

# Of models and tests, in a whole build.
_LEAST_NODES = 100


@dataclass
class House:
    """All of it. numbers: experiment ids by key."""

    settings: Settings
    clickhouse: Client
    topic: Topic
    dsn: str
    api: httpx.Client
    numbers: dict[str, int] = field(default_factory=dict)
    carried: int = 0

    def carry(self) -> None:
        """Send what the outbox holds and was not sent yet, as Debezium does."""
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(
                "SELECT id, aggregate_type, event_type, payload FROM outbox_events WHERE id > %s ORDER BY id",
                (self.carried,),
            ).fetchall()
        if rows:
            self.topic.send(*(envelope(kind, payload, event_type=name) for _, kind, name, payload in rows))
            self.carried = rows[-1][0]

    def build(self, **variables: Any) -> None:
        """Build every model. A row counts as seen as soon as it is visible."""
        run = dbt(self.settings, "run", **variables)
        assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]

    def build_and_test(self) -> dict[str, str]:
        """As the hourly job does, with every test; what did not succeed, by name: how it ended and what it says."""
        outcome = build(self.settings, variables={"ingestion_grace_seconds": 0})
        assert not outcome.error, outcome.error
        assert len(outcome.nodes) > _LEAST_NODES
        # What lies behind a failure is skipped.
        ended = outcome.failed or (*outcome.warned, *outcome.skipped)
        return {node.name: f"{node.ending}: {node.says}" for node in ended}

    def refresh_live(self) -> None:
        """What ClickHouse does every few seconds, now."""
        for view in REFRESHED:
            self.clickhouse.command(f"SYSTEM REFRESH VIEW {LIVE_DATABASE}.{view}")
            self.clickhouse.command(f"SYSTEM WAIT VIEW {LIVE_DATABASE}.{view}")

    def create(self, key: str, **fields: Any) -> None:
        body = {
            "key": key,
            "source": "external",
            "variants": history.VARIANTS,
            "metrics": history.METRICS,
            **fields,
        }
        answer = self.api.post("/v1/experiments", json=body)
        assert answer.status_code == 201, answer.text
        self.numbers[key] = answer.json()["id"]

    def send(self, path: str, items: list[dict[str, Any]], **headers: str) -> None:
        for start in range(0, len(items), 1000):
            self.api.post(path, json=items[start : start + 1000], headers=headers).raise_for_status()

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        answer = self.api.get(f"/v1/experiments/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def serving(dsn: str, folder: Path, clickhouse: dict[str, str]) -> Iterator[httpx.Client]:
    port = free_port()
    variables = (
        os.environ
        | clickhouse
        | {
            "NEONBLUE_POSTGRES_URL": dsn,
            "NEONBLUE_API_PORT": str(port),
            "NEONBLUE_API_TOKEN": TOKEN,
            "NEONBLUE_API_RESULTS_CACHE_SECONDS": "0",
            "NEONBLUE_DATA_DIR": str(folder),
        }
    )
    with (folder / "api.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "api"], env=variables, stdout=log, stderr=log)
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            trust_env=False,
            timeout=60,
        ) as client:
            wait_until(lambda: client.get("/readyz").raise_for_status())
            yield client
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def database(postgres: Server) -> str:
    """The address of a new database: other modules use the server with experiments of the same names."""
    name = f"results_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    address = urlsplit(postgres.dsn)._replace(path=f"/{name}").geturl()
    upgrade(address)
    return address


@pytest.fixture(scope="module")
def empty_house(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """As before the first experiment and the first build."""
    folder = tmp_path_factory.mktemp("results")
    with running(folder) as settings, connect(settings) as client:
        create_ingestion_layer(client)
        variables = {
            name: value
            for name, value in environment(folder, settings.clickhouse.port).items()
            if name.startswith("NEONBLUE_CLICKHOUSE")
        }
        with serving(database, folder, variables) as api:
            yield House(settings, client, Topic(client), database, api)


@pytest.fixture(scope="module")
def house(empty_house: House) -> House:
    """With a history of one experiment built, a second one without units, and a third that is a draft."""
    for key in (history.KEY, "empty", "draft"):
        empty_house.create(key)
    for key in (history.KEY, "empty"):
        empty_house.api.post(f"/v1/experiments/{key}/start").raise_for_status()
    empty_house.send("/v1/assignments", history.assignments())
    # History was stamped elsewhere, whatever the clock of who sends it.
    empty_house.send("/v1/events", history.events(), **{"Sent-At": "1999-12-31T23:59:59Z"})
    empty_house.carry()
    empty_house.build()
    return empty_house


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)
