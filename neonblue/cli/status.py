"""``neonblue status``."""

from __future__ import annotations

import msgspec
import typer
from rich.markup import escape

from neonblue.cli.failures import has_stack, no_stack
from neonblue.cli.services_table import megabytes, problems, table
from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.settings import Settings
from neonblue.stack.overview import Overview, take


def status(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show every service. Exits with 0 if all are ready, 1 if some are not, 3 if the stack does not run."""
    settings = Settings.load(data_dir)
    overview = take(settings.data_dir)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(overview)).decode())
    else:
        _show(overview)
    if not overview.running and not has_stack(settings):
        fail(no_stack(settings), code=3)
    if not overview.ready:
        raise typer.Exit(1 if overview.running else 3)


def _show(overview: Overview) -> None:
    out = console()
    if overview.services:
        out.print(table(overview))
    for problem in problems(overview):
        out.print(problem, soft_wrap=True)
    if overview.running:
        out.print(
            f"supervisor: process {overview.supervisor}; "
            f"memory of everything: {megabytes(overview.memory_bytes)}"
        )
    elif overview.services:
        out.print(f"not running in {escape(overview.data_dir)}: start it with 'neonblue up'", soft_wrap=True)
