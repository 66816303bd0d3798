"""Every service is killed in the middle of a load; afterwards nothing is lost, nothing is there twice, and
the metrics are those of a run in which nothing died."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest

from neonblue.clickhouse.client import connect
from neonblue.client import AsyncClient, Client, RetryPolicy, event_of, uuid7
from neonblue.settings import Settings
from neonblue.simulation.drive import Traffic, Visit, drive
from neonblue.simulation.scenario import Scenario
from neonblue.stack import Stack
from orchestration.launch import launch

from .conftest import CommandLine

SCENARIO = Scenario(seed=5)
UNITS = 1_800
UNITS_PER_SECOND = 450
PATIENT = RetryPolicy(attempts=200, cap_seconds=1.0)
SERVICES = ("api", "postgres", "connect", "kafka", "clickhouse")

MOMENTS = """
SELECT metric_key, variant_key, sum(n), sum(sum_value), round(sum(sum_squares), 6)
FROM metric_moments WHERE experiment_id = {experiment:UInt32}
GROUP BY metric_key, variant_key ORDER BY metric_key, variant_key
"""


async def load(settings: Settings, key: str, killing: Stack | None, service: str) -> tuple[int, Traffic, int]:
    """Visits of the scenario's units; `service` is killed when half of them are through.

    Returns the experiment's id, the traffic, and the killed process (0 where none was)."""
    killed = 0

    def on_progress(traffic: Traffic) -> None:
        nonlocal killed
        if killing is not None and not killed and traffic.units >= UNITS // 2:
            killed = killing.kill(service)

    token = settings.api.token.get_secret_value()
    async with AsyncClient(settings.api.address, token, retry=PATIENT) as client:
        await client.create_experiment(SCENARIO.experiment(key))
        experiment = await client.start(key)
        traffic = await drive(client, SCENARIO, Visit(key, UNITS, UNITS_PER_SECOND), on_progress)
    return experiment.id, traffic, killed


@pytest.fixture(scope="module")
def clean(settings: Settings) -> int:
    """The experiment of the run in which nothing dies."""
    experiment, traffic, _ = asyncio.run(load(settings, "nothing-dies", None, ""))
    assert (traffic.units, traffic.rejected) == (UNITS, 0)
    return experiment


@pytest.fixture(scope="module")
def loaded(stack: Stack, settings: Settings, clean: int) -> dict[str, int]:
    """One load and one kill per service; the experiments by service."""
    experiments = {}
    for service in SERVICES:
        experiments[service], traffic, killed = asyncio.run(load(settings, f"{service}-dies", stack, service))
        assert (traffic.units, traffic.rejected) == (UNITS, 0)
        assert killed
        stack.wait_restarted(service, killed)
    return experiments


def test_nothing_is_lost_and_nothing_is_there_twice(neonblue: CommandLine, loaded: dict[str, int]) -> None:
    report = neonblue.json("reconcile", "--wait", "180")

    assert report["agree"], report
    assert report["events"]["accepted"] > len(SERVICES) * UNITS
    assert report["events"]["missing"] == report["events"]["unexpected"] == 0
    assert report["assignments"]["accepted"] >= (len(SERVICES) + 1) * UNITS
    assert report["assignments"]["missing"] == report["assignments"]["unexpected"] == 0


def test_the_metrics_are_those_of_a_clean_run(
    neonblue: CommandLine, settings: Settings, clean: int, loaded: dict[str, int]
) -> None:
    neonblue.run("reconcile", "--wait", "180")
    assert launch(settings, job="everything").succeeded
    with connect(settings.clickhouse) as clickhouse:
        found = {
            name: clickhouse.query(MOMENTS, parameters={"experiment": experiment}).result_rows
            for name, experiment in {"nothing": clean, **loaded}.items()
        }

    assert len(found["nothing"]) == 6
    assert sum(row[2] for row in found["nothing"]) == 3 * UNITS
    for service in SERVICES:
        assert found[service] == found["nothing"], service


def test_a_repeated_request_is_counted_once_also_across_midnight(
    neonblue: CommandLine, settings: Settings
) -> None:
    midnight = datetime.combine(datetime.now(UTC).date(), time(), UTC)
    before, after = midnight - timedelta(milliseconds=1), midnight + timedelta(milliseconds=1)
    late_id = uuid7(int(before.timestamp() * 1000))
    user = f"night-owl-{uuid4()}"
    events = [
        # Made before midnight, timed after it: the id's own day keeps both requests in one partition.
        event_of("purchase", user, id=late_id, timestamp=after, value=Decimal("1.25")),
        event_of("purchase", user, id=uuid4(), timestamp=before, value=Decimal("2.5")),
        event_of("purchase", user, timestamp=before, value=Decimal(5)),
    ]
    with Client(settings.api.address, settings.api.token.get_secret_value()) as client:
        first, second = client.send(events), client.send(list(reversed(events)))

    assert (first.accepted, second.accepted, second.duplicates) == (3, 0, 3)
    neonblue.run("reconcile", "--wait", "120")
    with connect(settings.clickhouse) as clickhouse, psycopg.connect(settings.postgres.dsn()) as postgres:
        present = clickhouse.query(
            "SELECT count(), sum(value) FROM events_processed WHERE user_id = {user:String}",
            parameters={"user": user},
        ).result_rows[0]
        accepted = postgres.execute(
            "SELECT count(*), sum(value) FROM events WHERE user_id = %s", [user]
        ).fetchone()
    assert tuple(present) == accepted == (3, Decimal("8.75"))
