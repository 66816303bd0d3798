"""What stands around every command: it says in a sentence what its user can mend, and of a defect all that is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from neonblue.cli.failures import has_stack, no_stack, sentence
from neonblue.cli.terminal import console, fail
from neonblue.settings import Settings, SettingsError

_STARTING = ("up", "demo", "migrate")
"""A misspelt setting ends these: a stack must not start otherwise than was meant. Elsewhere it is a warning, so that a
setting of another version keeps nobody from looking at a stack or stopping it."""
_TELL_THEMSELVES = ("doctor", "settings")
_NEEDS = {
    "simulate experiment": "api",
    "bench ingest": "api",
    "bench assign": "api",
    "bench restarts": "folder",
    "report": "clickhouse",
    "sql": "reader",
    "simulate history": "clickhouse",
    "audit verify": "postgres",
    "reconcile": "postgres",
    "republish": "postgres",
    "migrate": "postgres",
    "logs": "folder",
    "down": "folder",
    "restart": "folder",
}
"""What a command can't do without, by its name or its group's: a secret, or the data folder of a stack. Those that call
`cli.api.Api` are told by it, so that a wrong file or option is told before."""


def guard(command: Any, name: str) -> Any:
    """`command`, called `name` after ``neonblue``, and all commands below it, each with sentences for its failures."""
    if isinstance(command, TyperGroup):
        for below, inner in command.commands.items():
            guard(inner, f"{name} {below}")
    elif command.callback is not None:
        names = {one.name: one.opts[0] for one in command.params}
        command.callback = guarded(command.callback, name, names)
    return command


def guarded(callback: Callable[..., Any], name: str, options: Mapping[str, str]) -> Callable[..., Any]:
    """`callback`, which ends with a sentence where its user can do something about it.

    options: how each is called on the command line, by its name in the function.
    """

    @wraps(callback)
    def run(*arguments: Any, **given: Any) -> Any:
        settings = None
        _require_numbers(given, options)
        try:
            if "data_dir" in given:
                settings = _look(name, given["data_dir"])
            return callback(*arguments, **given)
        except (typer.Exit, typer.Abort):
            raise
        except SettingsError as error:
            fail(str(error), code=2)
        except Exception as error:
            said = sentence(error, settings, name)
            if said is None:
                raise
            fail(said)

    return run


def _require_numbers(given: Mapping[str, Any], options: Mapping[str, str]) -> None:
    """NaN is in no range, and out of none: comparisons let it pass."""
    for name, value in given.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, float) and not math.isfinite(one):
                fail(f"{options.get(name, name)}: {one:g} is not a number to work with", code=2)


def _look(name: str, data_dir: Path | None) -> Settings:
    """The settings, once it is clear that the command can begin."""
    settings = Settings.load(data_dir)
    if name not in _TELL_THEMSELVES:
        unknown = Settings.unknown(data_dir)
        wrong = [one.sentence for one in unknown if one.claims and name in _STARTING]
        if wrong:
            raise SettingsError("\n".join(wrong))
        for one in unknown:
            console(stderr=True).print(f"[yellow]warning[/]  {escape(one.sentence)}", soft_wrap=True)
    need = _NEEDS.get(name) or _NEEDS.get(name.partition(" ")[0])
    if need is not None and not has_stack(settings) and not _given(settings, need):
        fail(no_stack(settings))
    return settings


def _given(settings: Settings, need: str) -> bool:
    """Whether the environment says what the data folder would have said."""
    secrets = {
        "api": settings.api.token,
        "clickhouse": settings.clickhouse.password,
        "reader": settings.clickhouse.readonly_password,
        "postgres": settings.postgres.url or settings.postgres.password,
    }
    return need in secrets and bool(secrets[need].get_secret_value())
