"""The command line ``neonblue``. A command's module is imported only when that command is called."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from neonblue import __version__
from neonblue.cli.failures import sentence
from neonblue.cli.guard import guard
from neonblue.cli.streams import careful_streams
from neonblue.cli.terminal import fail


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: its panel and line in the help, and where its function is."""

    panel: str
    help: str
    module: str
    function: str

    def load(self) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(import_module(self.module), self.function)
        return function


_STACK, _DATA, _TOOLS = "The stack", "Experiments and data", "Tools"
COMMANDS = {
    "up": Entry(_STACK, "Start everything and keep it running until Ctrl-C.", "neonblue.cli.up", "up"),
    "down": Entry(_STACK, "Stop everything.", "neonblue.cli.down", "down"),
    "restart": Entry(
        _STACK, "Start services anew, the API without losing a request.", "neonblue.cli.restart", "restart"
    ),
    "status": Entry(_STACK, "Show every service: state, address, memory.", "neonblue.cli.status", "status"),
    "logs": Entry(_STACK, "Show the services' logs.", "neonblue.cli.logs", "logs"),
    "doctor": Entry(_STACK, "Check this machine, and say what to install.", "neonblue.cli.doctor", "doctor"),
    "migrate": Entry(
        _STACK, "Bring PostgreSQL's and ClickHouse's schemas up to date.", "neonblue.cli.migrate", "migrate"
    ),
    "compose": Entry(
        _STACK, "Deploy with Docker Compose, from official images.", "neonblue.cli.compose", "compose"
    ),
    "demo": Entry(
        _DATA, "Run a live experiment with a known truth, and print its results.", "neonblue.cli.demo", "demo"
    ),
    "import": Entry(_DATA, "Import a data file as an experiment.", "neonblue.cli.import_file", "import_file"),
    "experiment": Entry(
        _DATA, "Create, look at and steer experiments.", "neonblue.cli.experiment", "experiment"
    ),
    "results": Entry(_DATA, "Show an experiment's results.", "neonblue.cli.results", "results"),
    "report": Entry(_DATA, "Write an experiment's report.", "neonblue.cli.report", "report"),
    "reconcile": Entry(
        _DATA, "Compare what was accepted with what is present.", "neonblue.cli.reconcile", "reconcile"
    ),
    "republish": Entry(
        _DATA, "Send what was accepted down the stream again.", "neonblue.cli.republish", "republish"
    ),
    "build": Entry(_DATA, "Build the models and test them now.", "neonblue.cli.build", "build"),
    "dbt": Entry(_DATA, "Run dbt on the running stack: its models, or your own.", "neonblue.cli.dbt", "app"),
    "dagster": Entry(_DATA, "Run a command of Dagster on the running stack.", "neonblue.cli.dagster", "app"),
    "sql": Entry(_DATA, "Run a read-only query on ClickHouse.", "neonblue.cli.sql", "sql"),
    "token": Entry(_TOOLS, "Make, list and revoke the API's tokens.", "neonblue.cli.token", "token"),
    "kafka-user": Entry(
        _TOOLS, "Let further consumers read the topic.", "neonblue.cli.kafka_user", "kafka_user"
    ),
    "settings": Entry(
        _TOOLS,
        "Show every setting: its value, where that comes from, what it does.",
        "neonblue.cli.settings",
        "settings",
    ),
    "env": Entry(_TOOLS, "Print the API's address and token for your shell.", "neonblue.cli.env", "env"),
    "audit": Entry(_TOOLS, "Check the audit log.", "neonblue.cli.audit", "audit"),
    "analyze": Entry(_TOOLS, "Analyse a file of data without the stack.", "neonblue.cli.analyze", "analyze"),
    "power": Entry(_TOOLS, "Plan a sample size.", "neonblue.cli.power", "power"),
    "simulate": Entry(_TOOLS, "Send events of a simulated experiment.", "neonblue.cli.simulate", "simulate"),
    "bench": Entry(_TOOLS, "Measure throughput and latency.", "neonblue.cli.bench", "bench"),
    "faults": Entry(
        _TOOLS, "Break a stack of its own, and see what is lost.", "neonblue.cli.faults", "faults"
    ),
}


class LazyGroup(TyperGroup):
    """Lists every command from the table, and imports the one that is called."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        with careful_streams():
            return super().main(*arguments, **options)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        if name is None or listed is None:
            return name, listed, rest
        return name, _command(name), rest


def _command(name: str) -> Any:
    try:
        function = COMMANDS[name].load()
        _log_aside()
    except ModuleNotFoundError as error:
        said = sentence(error, None, name)
        if said is None:
            raise
        fail(said)
    if isinstance(function, typer.Typer):
        return guard(get_command(function), name)
    single = typer.Typer(add_completion=False)
    single.command(name)(function)
    return guard(get_command(single), name)


def _log_aside() -> None:
    """Put log lines on standard error: what a command prints is for whoever reads on, a program as well.

    It is looked up for each line: whoever runs a command in their own process may replace and close the one of now.
    """
    import structlog

    from neonblue.log_lines import LogLines

    structlog.configure(logger_factory=LogLines(lambda: sys.stderr))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"neonblue {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="neonblue",
    help="NeonBlue: a self-hosted experimentation platform.",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Show the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """NeonBlue: a self-hosted experimentation platform."""


def _register(name: str, entry: Entry) -> None:
    @app.command(name, help=entry.help, rich_help_panel=entry.panel)
    def listed() -> None:
        raise NotImplementedError(name)


for _name, _entry in COMMANDS.items():
    _register(_name, _entry)


if __name__ == "__main__":
    app()
