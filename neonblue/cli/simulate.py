"""``neonblue simulate``: traffic of an experiment with a known truth, sent to a running API; or a whole history."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from neonblue.cli.number_options import LARGEST_SEED
from neonblue.cli.simulate_history import history
from neonblue.cli.terminal import DataDir
from neonblue.client import AsyncClient, ConflictError
from neonblue.settings import Settings
from neonblue.simulation.drive import Traffic, Visit, drive
from neonblue.simulation.scenario import Scenario


class _KeyOrCommand(TyperGroup):
    """``simulate KEY`` is ``simulate experiment KEY``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named or not args else ["experiment", *args])


simulate = typer.Typer(
    name="simulate",
    cls=_KeyOrCommand,
    help="Send the visits of simulated units (KEY [OPTIONS]), or write a whole history.",
    no_args_is_help=True,
    add_completion=False,
)
simulate.command("history")(history)


@simulate.command("experiment")
def experiment(
    key: Annotated[str, typer.Argument(help="Key of the experiment; created where it does not exist.")],
    units: Annotated[int, typer.Option(min=1, max=10**9, help="How many units visit.")] = 10_000,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="What the units do depends on it alone.")
    ] = 1,
    rate: Annotated[
        float | None, typer.Option(min=1, max=1e6, help="Units a second (default: unpaced).")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Send the visits of simulated units and print the true effects as JSON.

    `neonblue simulate history` writes weeks of many experiments instead.
    """
    settings = Settings.load(data_dir)
    scenario = Scenario(seed)
    traffic = asyncio.run(_run(settings, scenario, Visit(key, units, rate)))
    report = {
        "experiment": key,
        "units": traffic.units,
        "events": traffic.events,
        "duplicates": traffic.duplicates,
        "rejected": traffic.rejected,
        "seconds": round(traffic.seconds, 3),
        "truth": scenario.truth(),
    }
    typer.echo(json.dumps(report, indent=2))


async def _run(settings: Settings, scenario: Scenario, visit: Visit) -> Traffic:
    async with AsyncClient(settings.api.address, settings.api.token.get_secret_value()) as client:
        with contextlib.suppress(ConflictError):
            await client.create_experiment(scenario.experiment(visit.key))
        with contextlib.suppress(ConflictError):
            await client.start(visit.key)
        return await drive(client, scenario, visit, lambda _: None)
