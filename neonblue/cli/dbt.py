"""``neonblue dbt``: dbt with the running stack's settings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import httpx
import typer

from neonblue.cli.failures import has_stack, no_stack, reason, unanswered
from neonblue.cli.terminal import DataDir, console, fail
from neonblue.settings import Settings
from neonblue.stack.folders import PRIVATE_UMASK

app = typer.Typer(add_completion=False)

_WRITING = frozenset({"build", "run", "seed", "snapshot", "run-operation", "retry", "clone"})
_ASKING = _WRITING | {"test", "show", "compile", "docs", "source", "freshness"}
_TAKES_VALUE = frozenset(
    {"--profile", "--target", "-t", "--log-level", "--log-format", "--project-dir", "--profiles-dir"}
)
_ACCESS_DENIED = 516
"""ClickHouse's code for a wrong user or password."""


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    }
)
def dbt(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARGS...", help="What dbt takes: run, test, docs generate, …"),
    ] = None,
    own: Annotated[
        bool, typer.Option("--own", help="Your project (NEONBLUE_MODELS_PROJECT) in place of NeonBlue's.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Run dbt on the running stack, in NeonBlue's project or with --own in yours, and end with dbt's exit code.

    Whatever builds waits until no other build of this stack runs. dbt writes into the data folder, not the project.
    `neonblue dbt run --help` is dbt's own help. The options of this command come before dbt's.
    """
    given = arguments or []
    settings = Settings.load(data_dir)
    # What follows loads dbt's adapter and takes a second: a wrong option is told before.
    from orchestration import own_models
    from orchestration.locking import acquire
    from orchestration.project import dbt_environment, dbt_executable

    if not Path(dbt_executable()).exists():
        fail("dbt is not installed here: pip install 'neonblue[all]'")
    command = command_of(given)
    if command in _ASKING and not {"--help", "-h"} & set(given):
        _reach(settings)
    try:
        if own:
            own_models.prepared(settings)
    except own_models.OwnProjectError as error:
        fail(str(error))
    if command in _WRITING:
        # dbt takes this process's place, and with it the lock.
        os.set_inheritable(acquire(settings, _say_waiting), True)
    variables = own_models.environment(settings) if own else dbt_environment(settings)
    os.umask(PRIVATE_UMASK)  # it writes into the data folder
    os.execve(dbt_executable(), [dbt_executable(), *given], {**os.environ, **variables})  # noqa: S606


def command_of(arguments: Sequence[str]) -> str:
    """dbt's subcommand among its arguments; empty where there is none."""
    before = ""
    for argument in arguments:
        if not argument.startswith("-") and before not in _TAKES_VALUE:
            return argument
        before = argument
    return ""


def _reach(settings: Settings) -> None:
    """End the command where the stack's ClickHouse is not there, or another one is."""
    clickhouse, folder = settings.clickhouse, settings.data_dir
    if not clickhouse.password.get_secret_value() and not has_stack(settings):
        fail(no_stack(settings))
    try:
        answer = httpx.post(
            clickhouse.address,
            params={"database": clickhouse.database},
            headers={
                "X-ClickHouse-User": clickhouse.user,
                "X-ClickHouse-Key": clickhouse.password.get_secret_value(),
            },
            content="SELECT 1",
            timeout=30,
            trust_env=False,
        )
    except httpx.HTTPError as error:
        fail(unanswered(settings, "clickhouse", reason(error)))
    if answer.is_success and answer.text.strip() == "1":
        return
    if answer.headers.get("x-clickhouse-exception-code") == str(_ACCESS_DENIED):
        fail(
            f"the ClickHouse at {clickhouse.address} refuses the user {clickhouse.user} of the stack in {folder}: "
            "another stack listens there. Name the folder of the one that runs with --data-dir, or start this one "
            "with another NEONBLUE_CLICKHOUSE_PORT"
        )
    told = (answer.text.strip().splitlines() or [f"status {answer.status_code}"])[0][:200]
    fail(f"what listens at {clickhouse.address} takes no query as ClickHouse does: {told}")


def _say_waiting(holder: str) -> None:
    console(stderr=True).print(f"waiting for {holder} …")
