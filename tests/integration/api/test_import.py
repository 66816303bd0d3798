"""A file on its way through the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
import typer
from typer.testing import Result

from neonblue.cli.import_file import import_file
from neonblue.client import AsyncClient, Experiment
from neonblue.simulation.plan import Plan, make_plan
from neonblue.simulation.sending import ImportReport, prepare, send
from neonblue.tables.reading import Sheet
from neonblue.tables.roles import Options
from tests import command_line
from tests.integration.api.conftest import TOKEN, Server

ANSWERS = "user_id,variant,rating\n1,a,4\n2,b,NA\n3,a,0\n4,b,5\n"
Planner = Callable[[str], Plan]


@pytest.fixture
def plan(tmp_path: Path) -> Planner:
    path = tmp_path / "answers.csv"
    path.write_text(ANSWERS)
    sheet = Sheet.open(path, Options(start=datetime(2025, 7, 1, tzinfo=UTC)))

    def make(policy: str) -> Plan:
        return make_plan(sheet, missing=(policy,))

    return make


async def created(api: httpx.Client, plan: Plan, key: str) -> Experiment:
    async with AsyncClient(str(api.base_url), TOKEN) as client:
        return await prepare(client, plan, key, {}, append=False)


async def imported(api: httpx.Client, plan: Plan, experiment: Experiment) -> ImportReport:
    async with AsyncClient(str(api.base_url), TOKEN) as client:
        return await send(client, plan, experiment, lambda _: None)


def test_a_zero_is_stored_where_blanks_are_left_out_and_nothing_for_a_blank(
    api: httpx.Client, postgres: Server, plan: Planner
) -> None:
    experiment = asyncio.run(created(api, plan("zero"), f"answers-{uuid4().hex}"))

    report = asyncio.run(imported(api, plan("exclude"), experiment))

    assert (report.units_new, report.events_accepted, report.rejected) == (4, 3, {})
    with psycopg.connect(postgres.dsn) as connection:
        stored = connection.execute(
            "SELECT user_id, value FROM events WHERE experiment_id = %s AND event_type = 'rating' ORDER BY user_id",
            (experiment.id,),
        ).fetchall()
    assert [(unit, float(value)) for unit, value in stored] == [("1", 4.0), ("3", 0.0), ("4", 5.0)]


Import = Callable[..., Result]


@pytest.fixture
def run(api: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    monkeypatch.setenv("NEONBLUE_API_PORT", str(api.base_url.port))
    monkeypatch.setenv("NEONBLUE_API_TOKEN", TOKEN)
    app = typer.Typer()
    app.command()(import_file)

    def run(content: str, key: str, *options: str) -> Result:
        path = tmp_path / "data.csv"
        path.write_text(content)
        return command_line.invoke(str(path), "--key", key, "--data-dir", str(tmp_path), *options, app=app)

    return run


TIMES = "user_id,timestamp,variant,converted,minutes\n" + "".join(
    f"p{i},{1_612_010_112_345 + i * 60_000},{('control', 'treatment')[i % 2]},{i % 3 // 2},{i % 7}\n"
    for i in range(60)
)


def test_a_file_without_a_readable_row_creates_nothing(api: httpx.Client, run: Import) -> None:
    key = f"days-{uuid4().hex}"

    outcome = run(TIMES.replace("16120", "45839."), key)

    assert outcome.exit_code == 1
    assert "is no time" in " ".join(outcome.output.split())
    assert api.get(f"/v1/experiments/{key}").status_code == 404


def test_milliseconds_are_stored_as_the_time_they_are(
    api: httpx.Client, postgres: Server, run: Import
) -> None:
    key = f"milliseconds-{uuid4().hex}"

    first, again = run(TIMES, key), run(TIMES, key)

    assert (first.exit_code, again.exit_code) == (0, 0), first.output + again.output
    assert "60 new, 0 known" in first.output
    assert "is unchanged" in again.output
    with psycopg.connect(postgres.dsn) as connection:
        (earliest,) = connection.execute(
            "SELECT min(assigned_at) FROM assignments JOIN experiments e ON e.id = experiment_id WHERE key = %s",
            (key,),
        ).fetchone() or (None,)
    assert earliest == datetime(2021, 1, 30, 12, 35, 12, 345000, tzinfo=UTC)
    metrics = {
        metric["key"]: metric["role"] for metric in api.get(f"/v1/experiments/{key}").json()["metrics"]
    }
    assert metrics == {"converted": "primary", "minutes": "secondary"}


def test_rows_that_the_platform_refuses_are_no_success(run: Import, tmp_path: Path) -> None:
    key, content = f"moved-{uuid4().hex}", TIMES.replace("\np", "\nq")
    assert run(content, key).exit_code == 0

    outcome = run(content.replace("q0,1612010112345,control", "q0,1612010112345,treatment"), key, "--append")

    assert outcome.exit_code == 1
    assert "unit 'q0' is stored in arm 'control' already" in " ".join(outcome.output.split())
    assert (tmp_path / "data.rejected.csv").read_text().splitlines()[1].startswith("q0,")


def test_the_same_file_under_another_key_is_an_experiment_of_its_own(
    postgres: Server, api: httpx.Client, run: Import
) -> None:
    keys = [f"twice-{uuid4().hex}" for _ in range(2)]

    outcomes = [run(TIMES, key) for key in keys]

    assert [outcome.exit_code for outcome in outcomes] == [0, 0], outcomes[1].output
    ids = [api.get(f"/v1/experiments/{key}").json()["id"] for key in keys]
    with psycopg.connect(postgres.dsn) as connection:
        counted = [
            connection.execute("SELECT count(*) FROM events WHERE experiment_id = %s", (found,)).fetchone()
            for found in ids
        ]
    assert counted[0] == counted[1] != (0,)


def test_rejected_rows_are_added_once_they_are_mended(
    api: httpx.Client, postgres: Server, run: Import, tmp_path: Path
) -> None:
    key = f"mended-{uuid4().hex}"
    bad = TIMES.replace("control,0,3", "control,0,three", 1)
    assert run(bad, key, "--skip-bad-rows", "--lower", "minutes").exit_code == 0
    mended = (tmp_path / "data.rejected.csv").read_text().replace("three", "3")

    outcome = run(mended, key, "--append")

    assert outcome.exit_code == 0, outcome.output
    with psycopg.connect(postgres.dsn) as connection:
        counted = connection.execute(
            "SELECT count(*), count(DISTINCT user_id) FROM assignments JOIN experiments e ON e.id = experiment_id"
            " WHERE key = %s",
            (key,),
        ).fetchone()
    assert counted == (60, 60)
    metrics = {m["key"]: m["direction"] for m in api.get(f"/v1/experiments/{key}").json()["metrics"]}
    assert metrics == {"converted": "increase", "minutes": "decrease"}
