"""``neonblue results``: what the API says of an experiment now."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import httpx
import typer
from rich.markup import escape

from neonblue.cli.report_view import comparison_grid, difference, relative, values
from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.settings import Settings
from neonblue.statistics.wording import p_value

_SHARES = ("proportion", "retention")


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
    answer = httpx.get(
        f"{settings.api.address}/v1/experiments/{key}/results", headers=headers, timeout=60, trust_env=False
    )
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
    out.print(f"[bold]{found['experiment']}[/]  [dim]{_watermark(found['watermark'])}[/]")
    if found["decision"]:
        out.print(f"{found['decision']['action'].replace('_', ' ')}  {found['decision']['sentence']}")
    out.print(comparison_grid(_cells(row) for row in found["items"]))
    for row in found["items"]:
        for note in _notes(row):
            out.print(
                f"[dim]{escape(row['metric_key'])}, {escape(row['variant_key'])}:[/] {note}", soft_wrap=True
            )
    for check in found["health"]:
        if not check["passed"]:
            colour = "bold red" if check["blocking"] else "yellow"
            out.print(f"[{colour}]{check['name']}[/]  {check['message']}")


def _watermark(mark: str | None) -> str:
    if mark is None:
        return "nothing has been received yet"
    return f"everything received up to {datetime.fromisoformat(mark):%Y-%m-%d %H:%M:%S} UTC is in the numbers"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    share = row["metric_type"] in _SHARES
    tested = row["status"] == "ok" and None not in (row["difference"], row["ci_low"], row["ci_high"])
    lifted = None not in (row["relative_lift"], row["relative_ci_low"], row["relative_ci_high"])
    return (
        row["metric_key"],
        row["variant_key"],
        values(row["mean_control"], row["mean_variant"], share),
        difference(row["difference"], row["ci_low"], row["ci_high"], share)
        if tested
        else row["status_reason"],
        relative(row["relative_lift"], row["relative_ci_low"], row["relative_ci_high"]) if lifted else "",
        "not yet" if row["p_value"] is None else f"{p_value(row['p_value'])}\n{p_value(row['adjusted_p'])}",
        row["verdict"],
    )


def _notes(row: dict[str, Any]) -> list[str]:
    """Who is not in the row's numbers."""
    judged = row["n_control"] + row["n_variant"]
    unfinished = row["unfinished_control"] + row["unfinished_variant"]
    missing = row["missing_control"] + row["missing_variant"]
    found = []
    if unfinished:
        found.append(
            f"{judged + missing:,} of {judged + missing + unfinished:,} units have finished their window."
        )
    if missing:
        found.append(f"{missing:,} units without a value are left out.")
    return found
