"""Every command that the pages show is one: the program takes its subcommand, options and arguments."""

from __future__ import annotations

import argparse
import re
import runpy
import sys
from collections.abc import Iterator
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from typer.core import TyperGroup

from neonblue.cli.main import COMMANDS
from neonblue.simulation.lives.families import FAMILIES
from tests.unit.docs.pages import NAMES, ROOT, shown

# Stands for a value of the reader's.
_PLACEHOLDER = re.compile(r"…|\.\.\.|[A-Z][A-Z_]*|\$\S+|\[.*")
_INSTANCES = {"N": "7", "KEY": FAMILIES[0].key}
_MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", _MAKEFILE, re.MULTILINE))
MAKE_VARIABLES = set(re.findall(r"^([A-Z]+) \??=", _MAKEFILE, re.MULTILINE))


def after(command: list[str], program: str) -> list[str] | None:
    """The arguments, where the command is this program, whatever is set before it and wherever it lies."""
    while command and (
        re.match(r"[A-Z_]+=", command[0]) or command[0] in ("sudo", "exec", "env", "eval", ";")
    ):
        command = command[1:]
    return command[1:] if command and command[0].split("/")[-1] == program else None


def of_neonblue(page: str) -> Iterator[tuple[bool, list[str]]]:
    for whole, command in shown(page):
        arguments = after(command, "neonblue")
        if arguments and not command[0].endswith("/lib/neonblue"):
            yield whole, arguments


def of_make(page: str) -> Iterator[list[str]]:
    for _, command in shown(page):
        arguments = after(command, "make")
        if arguments is not None:
            yield arguments


def of_modules(page: str) -> Iterator[list[str]]:
    for _, command in shown(page):
        arguments = after(command, "python") or after(command, "python3")
        if arguments and arguments[0] == "-m":
            yield arguments[1:]


def check(arguments: list[str], *, whole: bool) -> None:
    """AssertionError, or typer's own error, where `neonblue` does not take the arguments. Nothing is run."""
    name, *rest = arguments
    if name.startswith("-"):
        assert name in ("--version", "--help"), name
        return
    if _PLACEHOLDER.fullmatch(name):
        return
    assert name in COMMANDS, name
    found = COMMANDS[name].load()
    if isinstance(found, typer.Typer):
        command: Any = typer.main.get_command(found)
    else:
        single = typer.Typer(add_completion=False)
        single.command(name)(found)
        command = typer.main.get_command(single)
    while isinstance(command, TyperGroup):
        if not rest or _PLACEHOLDER.fullmatch(rest[0]) or rest[0].startswith("-"):
            return
        assert rest[0] in command.commands, rest[0]
        command, rest = command.commands[rest[0]], rest[1:]
    parse(command, [word for word in rest if word not in ("…", "...")], whole=whole)


def parse(command: Any, arguments: list[str], *, whole: bool) -> None:
    context = command.context_class(command, info_name=command.name, **command.context_settings)
    if (
        not whole
        and arguments
        and arguments[-1]
        in {name for option in command.params if not getattr(option, "is_flag", True) for name in option.opts}
    ):
        arguments = [*arguments, "VALUE"]  # an option is spoken of without its value
    with context.scope(cleanup=False):
        given, rest, _ = command.make_parser(context).parse_args(args=list(arguments))
    assert not rest or context.ignore_unknown_options or context.allow_extra_args, rest
    for parameter in command.params:
        value = given.get(parameter.name)
        missing = value is None or value == ()
        assert not (whole and parameter.required and missing), f"{parameter.name} is missing"
        choices = {
            member.value for kind in enumerations(parameter.type_descriptor.annotation) for member in kind
        }
        for each in () if missing or not choices else value if isinstance(value, (list, tuple)) else (value,):
            assert not isinstance(each, str) or each in choices or _PLACEHOLDER.fullmatch(each), each


def enumerations(annotation: Any) -> list[type[Enum]]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [annotation]
    return [kind for part in get_args(annotation) for kind in enumerations(part)]


@pytest.mark.parametrize("page", NAMES)
def test_neonblue_takes_what_the_page_says(page: str) -> None:
    for whole, arguments in of_neonblue(page):
        try:
            check(arguments, whole=whole)
        except Exception as error:
            pytest.fail(f"neonblue {' '.join(arguments)}: {error}")


@pytest.mark.parametrize("page", NAMES)
def test_make_has_the_targets_of_the_page(page: str) -> None:
    for arguments in of_make(page):
        for word in arguments:
            name, is_variable, _ = word.partition("=")
            assert name in (MAKE_VARIABLES if is_variable else TARGETS), word


class ArgumentsTakenError(Exception):
    """The arguments were taken."""


@pytest.mark.parametrize("page", NAMES)
def test_modules_take_what_the_page_says(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = argparse.ArgumentParser.parse_args

    def parse_only(self: argparse.ArgumentParser, *arguments: Any, **options: Any) -> Any:
        whole(self, *arguments, **options)
        raise ArgumentsTakenError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    for name, *arguments in of_modules(page):
        if name in ("venv", "pip"):
            continue
        spec = find_spec(name)
        assert spec is not None, name
        folders = spec.submodule_search_locations
        run = spec if folders is None else find_spec(f"{name}.__main__")
        assert run is not None, f"{name} can't be run"
        files = (
            [str(run.origin)] if folders is None else [str(file) for file in Path(folders[0]).glob("*.py")]
        )
        source = "".join(Path(file).read_text() for file in files)
        if "argparse" not in source:
            assert not [word for word in arguments if word.startswith("-") and f'"{word}"' not in source], (
                name
            )
            continue
        monkeypatch.setattr(sys, "argv", [name, *(_INSTANCES.get(word, word) for word in arguments)])
        with pytest.raises(ArgumentsTakenError):
            runpy.run_module(name, run_name="__main__")


def test_the_pages_show_commands_of_each_kind() -> None:
    """The tests above would pass over pages in which they find none."""
    assert sum(len(list(of_neonblue(page))) for page in NAMES) > 250
    assert sum(len(list(of_make(page))) for page in NAMES) > 30
    assert sum(len(list(of_modules(page))) for page in NAMES) > 8


@pytest.mark.parametrize(
    "line",
    [
        "neonblue nothing",
        "neonblue experiment fly",
        "neonblue up --detatch",
        "neonblue experiment create",
        "neonblue results one two three",
        "neonblue up --with spoons",
        "curl -s https://a | .venv/bin/neonblue nothing -",
    ],
)
def test_a_command_that_is_none_is_found(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.docs.pages.text", lambda page: f"```sh\n{line}\n```\n")

    ((whole, arguments),) = of_neonblue("page")
    with pytest.raises(Exception, match=r"."):
        check(arguments, whole=whole)
