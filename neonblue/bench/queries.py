"""How fast the warehouse answers and builds, and what it takes on disk: on a ClickHouse of its own, from a history."""

from __future__ import annotations

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
from clickhouse_connect.driver.client import Client

from neonblue.bench.storage import column_compression
from neonblue.clickhouse.client import connect
from neonblue.clickhouse.migrations import read_migrations
from neonblue.files import Folder, folder
from neonblue.results.moments import MOMENTS, window_parameters
from neonblue.settings import Settings
from neonblue.simulation.history.events import History
from neonblue.simulation.history.load import load
from neonblue.simulation.history.plan import HistoryPlan

_START_SECONDS = 120
_SERVER_LOG = "server.log"
_RUNS = 21
# The tables that a history is written into, and the view from one to the other; the rest of the ingestion layer reads
# the topic.
_CREATED = re.compile(r"ENGINE = \w*MergeTree| TO recent_events ")
_OF_EXPERIMENT = "SELECT * FROM {relation:Identifier} WHERE experiment_id = {experiment:UInt32}"
# The statement and the relation it asks; moments as every look at an experiment reads them.
_QUERIES = {
    "live result": (MOMENTS, "live_metric_moments"),
    "live summary": (_OF_EXPERIMENT, "live_experiment_summary"),
    "live funnel": (_OF_EXPERIMENT, "live_funnels"),
    "live cohorts": (_OF_EXPERIMENT, "live_cohort_retention"),
    "live stages": (_OF_EXPERIMENT, "live_exposure_stages"),
    "result as built": (MOMENTS, "metric_moments"),
}


_SIZES = """
SELECT table AS name, sum(rows), sum(bytes_on_disk) AS size FROM system.parts
WHERE active AND rows > 0 AND database = currentDatabase() AND NOT startsWith(table, '.')
GROUP BY name ORDER BY size DESC
"""


@dataclass(slots=True)
class QueriesReport:
    """Milliseconds per query (median and 95th percentile), seconds per build, bytes per row.

    compression: of the columns of `events_processed`, uncompressed to compressed; None where that is not known.
    """

    events: int
    users: int
    experiments: int
    load_seconds: float = 0.0
    full_build_seconds: float = 0.0
    repeated_build_seconds: float = 0.0
    milliseconds: dict[str, tuple[float, float]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    bytes_per_row: dict[str, float] = field(default_factory=dict)
    compression: float | None = None

    @property
    def build_seconds_per_million(self) -> float:
        return self.full_build_seconds / (self.events / 1e6)

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "build_seconds_per_million": self.build_seconds_per_million}


def measure(
    directory: Path, events: int, users: int, experiments: int, say: Callable[[str], object]
) -> QueriesReport:
    """Load a history, build every model, ask. What is in `directory` already is not loaded or built again."""
    report = _known(directory) or QueriesReport(events, users, experiments)
    if (report.events, report.users, report.experiments) != (events, users, experiments):
        raise ValueError(f"{directory} holds another history; name an empty folder")
    with _server(directory) as settings, connect(settings.clickhouse) as client:
        if not report.load_seconds:
            say("loading")
            _create_tables(client)
            plan = HistoryPlan(1, events, _now(), users=users, experiments=experiments)
            report.load_seconds = load(client, History(plan)).seconds
            client.command("OPTIMIZE TABLE events_processed")
            _keep(directory, report)
        if not report.full_build_seconds:
            say("building")
            report.full_build_seconds = _build(directory, settings)
            _keep(directory, report)
        if not report.repeated_build_seconds:
            report.repeated_build_seconds = _build(directory, settings)
        say("asking")
        for name, (query, relation) in _QUERIES.items():
            report.milliseconds[name] = _time(client, query, relation, experiments)
        report.rows, report.bytes_per_row = _sizes(client)
        report.compression = column_compression(client)
        _keep(directory, report)
    return report


def _time(client: Client, query: str, relation: str, experiments: int) -> tuple[float, float]:
    """Median and 95th percentile of the milliseconds over HTTP, of one experiment after the other."""
    took = []
    windows = window_parameters([], _now())
    for number in range(_RUNS):
        asked = number % experiments + 1
        parameters = {**windows, "relation": relation, "experiment": asked, "experiments": [asked]}
        started = time.perf_counter()
        client.query(query, parameters=parameters)
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took), statistics.quantiles(took, n=20)[-1]


def _sizes(client: Client) -> tuple[dict[str, int], dict[str, float]]:
    """Rows, and bytes on disk of each, of every table that has rows; the largest table first."""
    found = client.query(_SIZES).result_rows
    return {name: int(rows) for name, rows, _ in found}, {name: size / rows for name, rows, size in found}


def _build(directory: Path, settings: Settings) -> float:
    """Seconds of a `dbt run` over every model, the process's start included."""
    started = time.perf_counter()
    project = folder(Folder.DBT_PROJECT)
    run = subprocess.run(
        [
            str(Path(sys.executable).parent / "dbt"),
            *("--quiet", "run", "--project-dir", str(project), "--profiles-dir", str(project / "profile")),
            *("--vars", '{"ingestion_grace_seconds": 0}'),
        ],
        env={
            **os.environ,
            "NEONBLUE_DBT_PORT": str(settings.clickhouse.port),
            "NEONBLUE_DBT_USER": settings.clickhouse.user,
            "NEONBLUE_DBT_PASSWORD": settings.clickhouse.password.get_secret_value(),
            "DBT_TARGET_PATH": str(directory / "dbt" / "target"),
            "DBT_LOG_PATH": str(directory / "dbt" / "logs"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"dbt run failed:\n{run.stdout[-3000:]}{run.stderr[-1000:]}")
    return time.perf_counter() - started


def _create_tables(client: Client) -> None:
    for migration in read_migrations(folder(Folder.CLICKHOUSE)):
        for statement in migration.statements({"ON_CLUSTER": "", "REPLICATED": ""}):
            if _CREATED.search(statement):
                client.command(statement)


@contextmanager
def _server(directory: Path) -> Iterator[Settings]:
    """A ClickHouse of the benchmark's own on a free port."""
    directory.mkdir(parents=True, exist_ok=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    variables = {
        "NEONBLUE_DATA_DIR": str(directory),
        "NEONBLUE_CLICKHOUSE_PORT": str(port),
        "NEONBLUE_CLICKHOUSE_USER": "bench",
        "NEONBLUE_CLICKHOUSE_PASSWORD": "bench-password",
    }
    with (directory / _SERVER_LOG).open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "neonblue.clickhouse_server",
                "--path",
                str(directory / "data"),
                "--port",
                str(port),
            ],
            env={**os.environ, **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _await(process, f"http://127.0.0.1:{port}/ping")
        clickhouse = {"port": port, "user": "bench", "password": variables["NEONBLUE_CLICKHOUSE_PASSWORD"]}
        yield Settings.model_validate({"data_dir": directory, "clickhouse": clickhouse})
    finally:
        process.terminate()
        process.wait(timeout=60)


def _await(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(address, timeout=1).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("the benchmark's ClickHouse did not start: see server.log in its folder")


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def is_own_folder(directory: Path) -> bool:
    """Whether the benchmark may write there: nothing is in it, or what an earlier one left."""
    return not directory.exists() or (
        directory.is_dir() and ((directory / _SERVER_LOG).is_file() or not any(directory.iterdir()))
    )


def _known(directory: Path) -> QueriesReport | None:
    file = directory / "report.json"
    if not file.exists():
        return None
    known = json.loads(file.read_text())
    known.pop("build_seconds_per_million")
    return QueriesReport(**known)


def _keep(directory: Path, report: QueriesReport) -> None:
    (directory / "report.json").write_text(json.dumps(report.as_json(), indent=2))
