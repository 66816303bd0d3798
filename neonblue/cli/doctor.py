"""``neonblue doctor``."""

from __future__ import annotations

from collections.abc import Iterator

import typer
from rich.markup import escape

from neonblue.cli.terminal import DataDir, console
from neonblue.settings import Settings
from neonblue.stack import prerequisites
from neonblue.stack.prerequisites import Finding

_MARKS = {True: "[green]ok[/]", False: "[bold red]no[/]"}


def doctor(data_dir: DataDir = None) -> None:
    """Check this machine, and say what to install. Exits with 1 if something needed is missing."""
    good = True
    for finding in _examine(Settings.load(data_dir)):
        _print(finding)
        good &= finding.good
    if not good:
        raise typer.Exit(1)


def _examine(settings: Settings) -> Iterator[Finding]:
    """The stack's own code is imported once it is known that it can be."""
    yield from prerequisites.examine(settings)
    if prerequisites.importable():
        from neonblue.stack import checkup

        yield from checkup.examine(settings)


def _print(finding: Finding) -> None:
    out = console()
    out.print(f"{_MARKS[finding.good]:24} {finding.subject}: {escape(finding.found)}", soft_wrap=True)
    if finding.advice:
        out.print(f"{'':8} {escape(finding.advice)}", soft_wrap=True)
