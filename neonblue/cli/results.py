"""``neonblue results``: what the API says of an experiment now."""

from __future__ import annotations

import json
from typing import Any

import httpx
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.settings import Settings

COLUMNS = (
    "metric",
    "variant",
    "n control",
    "n",
    "control",
    "variant",
    "difference",
    "interval",
    "p",
    "verdict",
)


def results(key: str, json_output: AsJson = False, data_dir: DataDir = None) -> None:
    """Print the results of the experiment KEY as of now."""
    found = _get(Settings.load(data_dir), key)
    rows = found["items"]
    if json_output:
        typer.echo(json.dumps({**found, "results": rows}, indent=2))
    else:
        _show(found)
    if not rows:
        fail(f"there are no results of {key!r}: {found['reason']}")


def _get(settings: Settings, key: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {settings.api.token.get_secret_value()}"}
    try:
        answer = httpx.get(
            f"{settings.api.address}/v1/experiments/{key}/results",
            headers=headers,
            timeout=60,
            trust_env=False,
        )
    except httpx.HTTPError as error:
        fail(f"the API at {settings.api.address} can't be reached ({type(error).__name__}): is the stack up?")
    if not answer.is_success:
        fail(f"{key!r}: {_detail(answer)}")
    found: dict[str, Any] = answer.json()
    return found


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the API answers {answer.status_code}"


def _show(found: dict[str, Any]) -> None:
    out = console()
    mark = found["watermark"] or "nothing yet"
    out.print(f"[bold]{found['experiment']}[/]  [dim]everything received up to {mark} is in the numbers[/]")
    if found["decision"]:
        out.print(f"{found['decision']['action'].replace('_', ' ')}  {found['decision']['sentence']}")
    table = Table(header_style="dim", box=SIMPLE_HEAD, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in COLUMNS[:2] else "right", no_wrap=True)
    for row in found["items"]:
        table.add_row(
            row["metric_key"],
            row["variant_key"],
            f"{row['n_control']:,}",
            f"{row['n_variant']:,}",
            _number(row["mean_control"], "{:.4f}"),
            _number(row["mean_variant"], "{:.4f}"),
            _number(row["difference"], "{:+.4f}") if row["status"] == "ok" else row["status_reason"],
            _interval(row),
            _number(row["adjusted_p"], "{:.3g}"),
            row["verdict"],
        )
    out.print(table)
    for check in found["health"]:
        if not check["passed"]:
            colour = "bold red" if check["blocking"] else "yellow"
            out.print(f"[{colour}]{check['name']}[/]  {check['message']}")


def _interval(row: dict[str, Any]) -> str:
    if row["ci_low"] is None or row["ci_high"] is None:
        return ""
    return f"{row['ci_low']:+.4f} … {row['ci_high']:+.4f}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
