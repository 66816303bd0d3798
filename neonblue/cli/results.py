"""``neonblue results``: what the API says of an experiment now."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from neonblue.analysis.about import About
from neonblue.cli.api import Api, experiment_path
from neonblue.cli.experiment_options import Key
from neonblue.cli.report_view import print_comparison
from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.findings.effects import effect_of_item
from neonblue.findings.facts import facts_of
from neonblue.findings.heading import Heading, heading_of
from neonblue.findings.said import Outcome, said_of
from neonblue.settings import Settings
from neonblue.statistics import Finding, finding_of
from neonblue.statistics.experiment.wording import check_name
from neonblue.statistics.numbers import true_minus
from neonblue.texts import plain

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*").fullmatch
_COLOURS = {
    Outcome.SHIP: "bold green",
    Outcome.ROLL_BACK: "bold red",
    Outcome.INVALID: "bold red",
    Outcome.KEEP_RUNNING: "bold blue",
}
_FINDINGS = {Finding.FAILED: "bold red", Finding.WARNED: "yellow", Finding.UNTOLD: "dim"}
"""How a check that is not fine is printed."""


def results(key: Key, json_output: AsJson = False, data_dir: DataDir = None) -> None:
    """Print the results of the experiment KEY as of now."""
    found = ask(Settings.load(data_dir), key, "results")
    rows = found["items"]
    if json_output:
        typer.echo(json.dumps({**found, "results": rows}, indent=2))
    else:
        show_results(console(), found)
    if not rows:
        fail(f"there are no results of {plain(key)!r}: {found['reason']}")


def ask(settings: Settings, key: str, part: str = "") -> dict[str, Any]:
    """What the API answers of an experiment. Ends the command where there is no such experiment, or no answer."""
    if not _KEY(key):
        fail(
            f"no experiment can be called {plain(key)!r}: a key is of letters, digits, '.', '_' and '-', "
            "and begins with a letter or a digit"
        )
    with Api(settings) as api:
        found: dict[str, Any] = api.read(
            api.get(experiment_path(key, *filter(None, (part,)))), dict[str, Any]
        )
        return found


def print_heading(out: Console, heading: Heading) -> None:
    """The decision that people recorded, or what the data say."""
    out.print(Text(f"{heading.mark} {heading.title}", style=_COLOURS.get(heading.kind, "bold")))
    for line in filter(None, (heading.people, heading.data)):
        out.print(Text(f"  {true_minus(plain(line))}"), soft_wrap=True)
    if heading.warning:
        out.print(Text(f"  ! {heading.warning}", style="yellow"), soft_wrap=True)


def show_results(out: Console, found: dict[str, Any]) -> None:
    """What the API answered: the heading, the metrics, the checks that are not fine, and up to when."""
    about = msgspec.convert(found["about"], About) if found.get("about") else None
    decision = found["decision"] or {"action": None, "sentence": "", "arm": None}
    named = f"  {plain(about.name)}" if about is not None and about.name else ""
    out.print(Text.assemble((plain(found["experiment"]), "bold"), named), soft_wrap=True)
    if about is not None:
        facts = facts_of(about, found["units"] if found["items"] else None)
        out.print(Text(" · ".join(f"{name} {text}" for name, text in facts), style="dim"), soft_wrap=True)
    said = said_of(
        found["status"], found["reason"], decision["action"], decision["sentence"], decision["arm"]
    )
    print_heading(out, heading_of(about, said))
    print_comparison(out, (effect_of_item(item) for item in found["items"]))
    for check in found["health"]:
        finding = finding_of(passed=check["passed"], blocking=check["blocking"], told=check["told"])
        style = _FINDINGS.get(finding)
        if style is not None:
            message = f"  {true_minus(plain(check['message']))}"
            out.print(Text.assemble((plain(check_name(check["name"])), style), message), soft_wrap=True)
    out.print(Text(_watermark(found["watermark"]), style="dim"), soft_wrap=True)


def _watermark(mark: str | None) -> str:
    if mark is None:
        return "Nothing that was received is in the numbers yet."
    return f"Everything received up to {datetime.fromisoformat(mark):%Y-%m-%d %H:%M:%SZ} is in the numbers."
