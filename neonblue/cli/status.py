"""``neonblue status``."""

from __future__ import annotations

import msgspec
import typer

from neonblue.cli.services_table import megabytes, problems, table
from neonblue.cli.terminal import AsJson, DataDir, console
from neonblue.settings import Settings
from neonblue.stack.overview import Overview, take


def status(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show every service. Exits with 0 if all are ready, 1 if some are not, 3 if the stack does not run."""
    overview = take(Settings.load(data_dir).data_dir)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(overview)).decode())
    else:
        _show(overview)
    if not overview.ready:
        raise typer.Exit(1 if overview.running else 3)


def _show(overview: Overview) -> None:
    out = console()
    if overview.services:
        out.print(table(overview))
    for problem in problems(overview):
        out.print(f"[yellow]{problem}[/]", markup=True)
    if overview.running:
        out.print(
            f"supervisor: process {overview.supervisor}; "
            f"memory of everything: {megabytes(overview.memory_bytes)}"
        )
    else:
        out.print(f"not running in {overview.data_dir}: start it with 'neonblue up'")
