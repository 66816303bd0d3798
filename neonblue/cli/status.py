"""``neonblue status``."""

from __future__ import annotations

import msgspec
import typer
from rich.markup import escape

from neonblue.cli.failures import has_stack, no_stack
from neonblue.cli.services_table import megabytes, problem, problems, table
from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.settings import Settings
from neonblue.stack.supervisor import troubles
from neonblue.stack.supervisor.board import State
from neonblue.stack.supervisor.overview import Overview, take
from neonblue.stack.supervisor.telling import ask_api
from neonblue.stack.supervisor.troubles import Trouble


def status(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show every service. Exits with 0 if all are ready, 1 if some are not, 3 if the stack does not run."""
    settings = Settings.load(data_dir)
    overview = take(settings.data_dir)
    found = _of_api(settings, overview)
    if as_json:
        every = [*troubles.of_parts(overview.services), *found] if overview.running else []
        print(
            msgspec.json.format(
                msgspec.json.encode({**msgspec.to_builtins(overview), "troubles": every})
            ).decode()
        )
    else:
        _show(overview, found)
    if not overview.running and not has_stack(settings):
        fail(no_stack(settings), code=3)
    if not overview.ready:
        raise typer.Exit(1 if overview.running else 3)


def _of_api(settings: Settings, overview: Overview) -> list[Trouble]:
    """What the API says of its parts and of the stream, where it runs here and answers."""
    ready = {view.name for view in overview.services if view.state == State.READY}
    if not overview.running or "api" not in ready:
        return []
    return troubles.of_api(ask_api(settings.api.address) or {})


def _show(overview: Overview, found: list[Trouble]) -> None:
    out = console()
    if overview.services:
        out.print(table(overview))
    for line in [*problems(overview), *map(problem, found)]:
        out.print(line, soft_wrap=True)
    if overview.running:
        out.print(
            f"supervisor: process {overview.supervisor}; "
            f"memory of everything: {megabytes(overview.memory_bytes)}"
        )
    elif overview.services:
        out.print(f"not running in {escape(overview.data_dir)}: start it with 'neonblue up'", soft_wrap=True)
