"""PostgreSQL, Valkey, the API and an embedded ClickHouse. In place of Debezium and Kafka the tests carry the outbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from clickhouse_connect.driver.client import Client

from neonblue.settings import Settings
from neonblue.stack import Stack
from neonblue.stack.services.api import Api
from neonblue.stack.services.environment import process_environment
from tests.integration.api.fleet import answers, wait_until
from tests.integration.warehouse import connect, create_ingestion_layer, envelope, free_port, running

SETTLE_SECONDS = 2.0


@dataclass
class Stream:
    """Carries rows of the outbox to ClickHouse, as Debezium and Kafka do."""

    dsn: str
    client: Client
    _last: int = field(default=0)

    def carry(self) -> None:
        """What was added since the last time."""
        self._send(self._last)

    def replay(self) -> None:
        """Everything, from the first message on."""
        self._send(0)

    def _send(self, after: int) -> None:
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(
                "SELECT id, aggregate_type, event_type, payload::text FROM outbox_events WHERE id > %s ORDER BY id",
                (after,),
            ).fetchall()
        if rows:
            self._last = rows[-1][0]
            self.client.insert(
                "raw_events_kafka",
                [[envelope(kind, payload, event_type=happened), at] for at, kind, happened, payload in rows],
                column_names=["message", "_offset"],
            )


@dataclass
class Place:
    """Everything a test of erasure looks at."""

    settings: Settings
    api: httpx.Client
    clickhouse: Client
    stream: Stream


@pytest.fixture(scope="session")
def warehouse() -> Iterator[Settings]:
    folder = Path(tempfile.mkdtemp(prefix="neonblue-erasures-clickhouse-"))
    try:
        with running(folder) as settings:
            yield settings
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def place(warehouse: Settings) -> Iterator[Place]:
    # Not pytest's own folder: only its owner may enter that, and PostgreSQL runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="neonblue-erasures-"))
    folder.chmod(0o755)
    wanted = Settings.model_validate(
        {
            "data_dir": folder,
            "postgres": {"port": free_port()},
            "valkey": {"port": free_port()},
            "kafka": {"bootstrap_servers": "127.0.0.1:1"},  # nothing listens there
            "clickhouse": {
                "url": warehouse.clickhouse.address,
                "user": warehouse.clickhouse.user,
                "password": warehouse.clickhouse.password,
            },
            "api": {"port": free_port(), "erasure_settle_seconds": SETTLE_SECONDS},
        }
    )
    try:
        with (
            Stack(wanted, services={"postgres", "valkey", "api"}) as stack,
            connect(warehouse) as clickhouse,
            client_of(stack.settings) as api,
        ):
            stack.wait_ready(timeout=120)
            create_ingestion_layer(clickhouse)
            yield Place(stack.settings, api, clickhouse, Stream(stack.settings.postgres.dsn(), clickhouse))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def client_of(settings: Settings) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=settings.api.address,
        headers={"authorization": f"Bearer {settings.api.token.get_secret_value()}"},
        trust_env=False,
        timeout=30,
    ) as client:
        yield client


@contextmanager
def another_api(
    settings: Settings, environment: Mapping[str, str] | None = None, **changed: object
) -> Iterator[httpx.Client]:
    """A second API process on the same stores; further settings by the names of `ApiSettings`."""
    api = settings.api.model_copy(update={"port": free_port(), **changed})
    own = settings.model_copy(update={"api": api})
    log = settings.data_dir / f"api-{api.port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"],
            env=process_environment(own, Api) | {"PATH": os.environ["PATH"], **(environment or {})},
            cwd=settings.data_dir,
            stdout=output,
            stderr=output,
        )
    try:
        with client_of(own) as client:
            wait_until(lambda: answers(client), "the second API is ready")
            yield client
    finally:
        process.terminate()
        process.wait(30)
