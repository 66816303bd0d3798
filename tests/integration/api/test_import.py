"""A file's blank cells on their way through the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from neonblue.client import AsyncClient, Experiment
from neonblue.simulation.plan import Plan, make_plan
from neonblue.simulation.sending import ImportReport, prepare, send
from neonblue.tables.reading import Sheet
from neonblue.tables.roles import Options
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
