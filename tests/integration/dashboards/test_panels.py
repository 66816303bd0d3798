"""Every query of every panel is answered with rows, by the stack's Prometheus and ClickHouse after a demo."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from dagster import DagsterRunStatus
from dagster_graphql import DagsterGraphQLClient

from neonblue.dashboards.boards import BOARDS
from neonblue.dashboards.boards.experiment import EXPERIMENT
from neonblue.dashboards.model import Board, ClickHouse, Kind, Panel
from neonblue.settings import Settings
from neonblue.stack import Stack
from neonblue.stack.services import monitoring
from orchestration.following import follow
from orchestration.tags import PARTITION_TAG
from tests.dashboards.__main__ import draw_all
from tests.dashboards.asking import Sources
from tests.dashboards.expanding import View
from tests.integration.stack.conftest import new_folder, settings_in
from tests.waiting import until

pytestmark = [
    pytest.mark.skipif(
        bool(monitoring.missing()),
        reason="not installed: apt-get install " + " ".join(one.package for one in monitoring.missing()),
    ),
    pytest.mark.timeout(1800),
]
ROOT = Path(__file__).parents[3]
KEY = "demo-1"
CHOSEN = {"experiment": KEY, "metric": "conversion"}
PANELS = [
    pytest.param(board, panel, id=f"{board.uid}/{panel.title}")
    for board in BOARDS
    for panel in board.panels()
]
UNREADABLE = """
INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
VALUES ('event', gen_random_uuid()::text, 'EVENT_CREATED', '{"event": "that nobody can read"}')
"""


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """Of a stack on which a demo has run, and on which one message could not be read."""
    folder = new_folder()
    try:
        with Stack(settings_in(folder), watched=True) as stack:
            stack.wait_ready(timeout=500)
            with visitors(stack.settings):
                demo(stack.settings)
            decide(stack.settings)
            with psycopg.connect(stack.settings.postgres.dsn(), autocommit=True) as postgres:
                postgres.execute(UNREADABLE)
            yield stack.settings
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def demo(settings: Settings) -> None:
    command = (
        sys.executable,
        "-m",
        "neonblue.cli.main",
        "demo",
        "--exit",
        "--seconds",
        "60",
        "--rate",
        "300",
    )
    done = subprocess.run(
        [*command, "--data-dir", str(settings.data_dir)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("NEONBLUE_")},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    # Whether the simulated effects are found in a minute is not what is asked here.
    assert "reconcil" in done.stdout.lower() or done.returncode == 0, done.stdout + done.stderr


def decide(settings: Settings) -> None:
    """The run that comes every hour."""
    dagster = urlsplit(settings.dagster.address)
    headers = settings.dagster.authorization
    client = DagsterGraphQLClient(str(dagster.hostname), port_number=dagster.port, headers=headers)
    run = client.submit_job_execution("decisions", tags={PARTITION_TAG: KEY})
    statuses = [moment.status for moment in follow(settings, run) if moment.finished]

    assert statuses == [DagsterRunStatus.SUCCESS.value]


@contextmanager
def visitors(settings: Settings) -> Iterator[None]:
    """Somebody looks at the results again and again, and somebody sends what is no event."""
    ended = threading.Event()
    headers = {"authorization": f"Bearer {settings.api.token.get_secret_value()}"}

    def visit() -> None:
        with httpx.Client(base_url=settings.api.address, headers=headers, trust_env=False) as api:
            while not ended.wait(1):
                api.get(f"/v1/experiments/{KEY}/results")
                api.post("/v1/events", content=b"no event", headers={"content-type": "application/json"})

    thread = threading.Thread(target=visit)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture(scope="module")
def sources(settings: Settings) -> Iterator[Sources]:
    """Once the alert about the unreadable message fires."""
    alerts = next(panel for board in BOARDS for panel in board.panels() if panel.title == "Alerts that fire")

    with Sources(settings) as opened:

        def told() -> bool:
            rows = opened.answers(alerts, view())[0].rows
            return "DeadLetters" in {row["alertname"] for row in rows}

        until(told, "the alert about the message that could not be read", 120)
        yield opened


def view() -> View:
    now = datetime.now(UTC)
    return View(now - timedelta(minutes=30), now, chosen=CHOSEN)


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_every_query_has_rows(sources: Sources, board: Board, panel: Panel) -> None:
    answers = sources.answers(panel, view())

    assert not [answer.asked for answer in answers if answer.empty]


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_panel_shows_what_it_was_asked_for(sources: Sources, board: Board, panel: Panel) -> None:
    """Columns have the names that the panel gives units and words to; lines differ by name."""
    answers = sources.answers(panel, view())
    rows = [row for answer in answers for row in answer.rows]
    names = [line.name for answer in answers for line in answer.lines]

    assert len(set(names)) == len(names)
    assert not [name for name in names if "{{" in name]
    if panel.kind is Kind.TABLE or panel.columns:
        several = [f"Value #{chr(ord('A') + at)}" for at in range(len(answers))]
        told = {name for row in rows for name in row if not isinstance(panel.queries[0], ClickHouse) or name}
        expected = (told - {"Value"}) | set(several) if len(answers) > 1 else told
        assert {column.name for column in panel.columns} == expected


@pytest.mark.parametrize("variable", EXPERIMENT.variables, ids=lambda variable: variable.name)
def test_what_can_be_chosen_is_there(sources: Sources, variable: Any) -> None:
    rows = sources.select(variable.query, Kind.TABLE, view()).rows

    assert CHOSEN[variable.name] == next(iter(rows[0].values()))


@pytest.mark.parametrize("metric", ["conversion", "revenue", "errors"])
def test_the_metric_of_a_day_is_that_of_the_results(
    sources: Sources, settings: Settings, metric: str
) -> None:
    now = datetime.now(UTC)
    seen = View(now - timedelta(days=2), now, chosen=CHOSEN | {"metric": metric})
    lines = sources.select(ClickHouse("metric_by_day", "x"), Kind.LINES, seen).lines
    published = sources.select(ClickHouse("results"), Kind.TABLE, seen).rows
    result = next(row for row in published if row["metric_key"] == metric)

    means = {line.name: (min(line.values), max(line.values)) for line in lines}

    assert set(means) == {"control", "treatment"}
    for name, mean in (("control", result["mean_control"]), ("treatment", result["mean_variant"])):
        low, high = means[name]
        assert low - 1e-9 <= mean <= high + 1e-9, "the mean of all days lies between those of single days"


def test_units_are_counted_once(sources: Sources) -> None:
    """The bars of first exposures, the shares and the table of variants tell of the same units."""
    seen = view()
    panels = {panel.title: panel for panel in EXPERIMENT.panels()}
    bars = sources.answers(panels["First exposures"], seen)[0].lines
    shares = sources.answers(panels["Share of units"], seen)[0].lines
    variants = {row["variant_key"]: row for row in sources.answers(panels["Variants now"], seen)[0].rows}
    units = {name: int(row["analysed_units"]) for name, row in variants.items()}

    assert {line.name: sum(line.values) for line in bars} == units
    for line in shares:
        assert line.values[-1] == pytest.approx(units[line.name] / sum(units.values()))


def test_every_dashboard_can_be_drawn(sources: Sources, settings: Settings, tmp_path: Path) -> None:
    files = draw_all(settings, tmp_path, minutes=15, experiment=KEY)

    assert len(files) == len(BOARDS)
    assert all(file.stat().st_size > 20_000 for file in files)
