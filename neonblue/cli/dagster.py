"""``neonblue dagster``: Dagster's commands with the stack's own environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from neonblue.cli.failures import has_stack, no_stack
from neonblue.cli.terminal import DataDir, fail
from neonblue.settings import Settings
from neonblue.stack.folders import PRIVATE_UMASK

app = typer.Typer(add_completion=False)

_MODULE = "orchestration.definitions"
_OF_WORKSPACE = {
    "job": {"list", "print", "launch", "backfill"},
    "schedule": {"preview", "list", "start", "stop", "logs", "restart"},
    "sensor": {"preview", "list", "start", "stop", "cursor"},
    "run": {"migrate-repository"},
    "definitions": {"validate"},
}
"""Commands that ask the stack's code server, unless they are told another place."""
_OF_MODULE = {"job": {"execute", "scaffold_config"}, "asset": {"list", "materialize"}}
"""Commands that load the definitions themselves."""
_TARGETS = ("-w", "--workspace", "-m", "--module-name", "-f", "--python-file", "--package-name", "--grpc-",
            "--autoload-defs-module-name", "-h", "--help")  # fmt: skip


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    }
)
def dagster(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ARGS...", help="What dagster takes: asset materialize, job launch, run list, …"
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Run a command of Dagster on the running stack, and end with its exit code.

    It has the stack's DAGSTER_HOME, database and settings, and NeonBlue's definitions where it names none.
    `neonblue dagster job --help` is Dagster's own help. The options of this command come before Dagster's.
    """
    given = arguments or []
    settings = Settings.load(data_dir)
    if find_spec("dagster") is None:
        fail("Dagster is not installed here: pip install 'neonblue[all]'")
    from neonblue.stack.services.dagster import DagsterCode, environment, home

    if not has_stack(settings) or not (home(settings) / "dagster.yaml").is_file():
        fail(no_stack(settings))
    if given and not {"--help", "-h", "--version", "-v"} & set(given):
        _reach(settings)
    command = [sys.executable, "-m", "dagster", *with_target(given, home(settings) / "workspace.yaml")]
    variables = {**os.environ, **environment(settings, DagsterCode)}
    os.umask(PRIVATE_UMASK)  # it writes into the data folder
    os.execve(sys.executable, command, variables)  # noqa: S606


def with_target(arguments: Sequence[str], workspace: Path) -> list[str]:
    """`arguments` with NeonBlue's definitions named, where the command wants some and names none."""
    group, name, *rest = (*arguments, "", "")
    if any(one.startswith(_TARGETS) for one in rest):
        return list(arguments)
    target: tuple[str, ...] = ()
    if name in _OF_WORKSPACE.get(group, ()):
        target = ("-w", str(workspace))
    elif name in _OF_MODULE.get(group, ()):
        target = ("-m", _MODULE)
    return [*arguments[:2], *target, *arguments[2:]]


def _reach(settings: Settings) -> None:
    """Raise psycopg's error, which is told in a sentence, where Dagster's database can't be reached."""
    import psycopg

    from neonblue.stack.services.dagster import storage

    psycopg.connect(storage(settings), connect_timeout=10).close()
