"""Printing what must arrive whole, and asking before what can't be undone."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import typer
from rich.console import RenderableType
from rich.text import Text

from neonblue.cli.terminal import console, fail


def say(text: str) -> None:
    """One sentence on standard output, as it is: no markup, no line breaks of ours."""
    console().print(text, markup=False, soft_wrap=True)


def warn(lines: Iterable[str]) -> None:
    """What to look at, on standard error: it is no part of the answer."""
    for line in lines:
        console(stderr=True).print(Text.assemble(("look at", "yellow"), f"  {line}"), soft_wrap=True)


def print_whole(found: RenderableType) -> None:
    """Print with no cell cut or broken: what is wider than the terminal is broken by the terminal."""
    out = console()
    out.width = max(out.width, out.measure(found, options=out.options.update(max_width=1_000_000)).maximum)
    out.print(found, crop=False)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what can't be undone. Ends the command on a no, and with 2 where nobody can be asked without `yes`."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{question} Nobody can be asked here: say --yes", code=2)
    if not typer.confirm(question, err=True):
        fail("nothing was changed")


def ask(question: str, option: str) -> str:
    """A text that the command needs. Ends it with 2 where nobody can be asked."""
    if not sys.stdin.isatty():
        fail(f"say {option}", code=2)
    answer: str = typer.prompt(question, err=True)
    return answer
