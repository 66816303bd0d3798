"""``neonblue doctor``."""

from __future__ import annotations

import typer
from rich.markup import escape

from neonblue.cli.terminal import DataDir, console
from neonblue.settings import Settings
from neonblue.stack.checkup import Finding, examine

_MARKS = {True: "[green]ok[/]", False: "[bold red]no[/]"}


def doctor(data_dir: DataDir = None) -> None:
    """Check this machine, and say what to install. Exits with 1 if something needed is missing."""
    findings = examine(Settings.load(data_dir))
    for finding in findings:
        _print(finding)
    if any(not finding.good for finding in findings):
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    out = console()
    out.print(f"{_MARKS[finding.good]:24} {finding.subject}: {escape(finding.found)}", soft_wrap=True)
    if finding.advice:
        out.print(f"{'':8} {escape(finding.advice)}", soft_wrap=True)
