"""``neonblue simulate history``: weeks of many experiments with a known truth, written into ClickHouse."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from neonblue.cli.number_options import LARGEST_SEED
from neonblue.cli.terminal import DataDir
from neonblue.clickhouse.client import connect
from neonblue.settings import Settings
from neonblue.simulation.history.events import History
from neonblue.simulation.history.load import load
from neonblue.simulation.history.plan import HistoryPlan, truth

FIRST_EXPERIMENT_ID = 1_000_001
"""Far above the ids that the API gives, so that a history never mixes with real experiments."""


def history(
    days: Annotated[int, typer.Option(min=2, max=3650, help="How many days it lasts; it ends now.")] = 30,
    events: Annotated[
        int, typer.Option(min=1_000, max=10**10, help="How many events, exposures not counted.")
    ] = 5_000_000,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Everything in it depends on it alone.")
    ] = 1,
    users: Annotated[
        int | None, typer.Option(min=10, max=10**9, help="How many users (default: one in 20 events).")
    ] = None,
    experiments: Annotated[int, typer.Option(min=1, max=1000, help="How many experiments.")] = 5,
    until: Annotated[
        datetime | None, typer.Option(help="When it ends, UTC (default: now).", formats=["%Y-%m-%dT%H:%M:%S"])
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write a seeded history straight into ClickHouse's ingestion tables and print its truth as JSON."""
    settings = Settings.load(data_dir)
    end = (until or datetime.now(UTC)).replace(microsecond=0, tzinfo=UTC)
    plan = HistoryPlan(
        seed=seed,
        events=events,
        end=end,
        days=days,
        users=users,
        experiments=experiments,
        first_experiment_id=FIRST_EXPERIMENT_ID,
    )
    with connect(settings.clickhouse) as client:
        loaded = load(client, History(plan))
    report = {**loaded.as_json(), "until": end.isoformat(), "lift_of_purchases": truth(plan)}
    typer.echo(json.dumps(report, indent=2))
