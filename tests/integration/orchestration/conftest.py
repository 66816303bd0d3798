from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from neonblue.settings import Settings
from tests.integration.api.conftest import api, postgres
from tests.integration.dbt import dbt
from tests.integration.warehouse import (
    Topic,
    connect,
    create_ingestion_layer,
    envelope,
    running,
)

__all__ = ["api", "postgres"]

LIVE_DATABASE = "default_live"
INGESTED = (
    "events_processed",
    "assignments",
    "experiments",
    "erased_users",
    "erased_days",
    "user_links",
    "dead_letters",
    "recent_events",
)
WRITTEN = (
    "experiment_results",
    "experiment_decisions",
    "sample_ratio_stages",
    "randomization_rates",
    "guardrail_breaches",
    "result_snapshots",
    "reports",
    "dropped_periods",
)


@dataclass
class Analysis:
    """ClickHouse with the ingestion layer, as the orchestrator sees it."""

    settings: Settings
    client: Client
    topic: Topic
    own: set[str] = field(default_factory=set)

    def relations(self) -> set[str]:
        """Every table and view, those of dbt too."""
        found = self.client.query("SELECT name FROM system.tables WHERE database = currentDatabase()")
        return {str(name) for (name,) in found.result_rows}

    def empty(self) -> None:
        """As before the first build: no rows, and nothing that dbt made."""
        self.client.command(f"DROP DATABASE IF EXISTS {LIVE_DATABASE}")
        for table in (*INGESTED, *WRITTEN):
            self.client.command(f"TRUNCATE TABLE {table}")
        for name in self.relations() - self.own:
            self.client.command(f"DROP TABLE {name}")

    def lead_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make the settings lead to this server."""
        monkeypatch.setenv("NEONBLUE_DATA_DIR", str(self.settings.data_dir))
        monkeypatch.setenv("NEONBLUE_CLICKHOUSE_PORT", str(self.settings.clickhouse.port))
        monkeypatch.setenv("NEONBLUE_CLICKHOUSE_USER", "tester")
        monkeypatch.setenv("NEONBLUE_CLICKHOUSE_PASSWORD", "a-password")

    def build(self, *models: str) -> None:
        """Build these models as dbt selects them. A row counts as seen as soon as it is visible."""
        run = dbt(self.settings, "run", "--select", *models)
        assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]

    def send(self, kind: str, *payloads: Any) -> None:
        self.topic.send(*(envelope(kind, payload) for payload in payloads))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Analysis]:
    with running(tmp_path_factory.mktemp("orchestration")) as settings, connect(settings) as client:
        create_ingestion_layer(client)
        analysis = Analysis(settings, client, Topic(client))
        analysis.own = analysis.relations()
        yield analysis


@pytest.fixture
def analysis(server: Analysis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Analysis]:
    """Empty, and where the settings lead."""
    server.lead_here(monkeypatch)
    server.empty()
    yield server
    # What it refreshes every few seconds is no other test's.
    server.client.command(f"DROP DATABASE IF EXISTS {LIVE_DATABASE}")


@dataclass
class Calls:
    """The calls an API got, the Idempotency-Key of each, and what it answers to each path: a status, by default 200."""

    received: list[tuple[str, bytes]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)


@pytest.fixture
def api_calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """Keeps what is posted to the API's address. What the API itself does is tested with the whole stack."""
    calls = Calls()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.keys.append(self.headers["Idempotency-Key"])
            calls.received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(calls.answers.get(self.path, 200))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    monkeypatch.setenv("NEONBLUE_API_TOKEN", "a-token")
    monkeypatch.setenv("NEONBLUE_API_URL", f"http://127.0.0.1:{listener.server_port}")
    yield calls
    listener.shutdown()
    listener.server_close()
