"""``neonblue restart``."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from neonblue.cli.terminal import AsJson, DataDir, console
from neonblue.settings import Settings
from neonblue.stack.supervisor import control
from neonblue.stack.supervisor.restarts import How, Outcome

_API = "api"


def restart(
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE]…", help="Services, as 'neonblue status' names them. Default: api."),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Start services anew while the stack runs, the API without a request lost.

    The API's new process takes over once it is ready, with the API's settings as neonblue.env has them now. Any other
    service ends first, and those that need it wait for it. Exits with 0 once all are ready, with 1 where one is not.
    """
    settings = Settings.load(data_dir)
    names = list(dict.fromkeys(services or [_API]))
    outcomes: list[Outcome] = []
    with console(stderr=True).status(f"restarting {', '.join(names)} …"):
        for outcome in control.ask(settings.data_dir, names):
            outcomes.append(outcome)
            if not as_json:
                _show(outcome)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(outcomes)).decode())
    if len(outcomes) < len(names) or any(outcome.how is How.FAILED for outcome in outcomes):
        raise typer.Exit(1)


def _show(outcome: Outcome) -> None:
    failed = outcome.how is How.FAILED
    detail = f": {escape(outcome.detail)}" if outcome.detail else ""
    advice = f"; see 'neonblue logs {outcome.service}'" if failed else ""
    colour = "bold red" if failed else "green"
    console(stderr=failed).print(
        f"{outcome.service}: [{colour}]{outcome.how}[/] after {outcome.seconds:.1f} s{detail}{advice}",
        soft_wrap=True,
    )
