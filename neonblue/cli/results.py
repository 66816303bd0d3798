"""``neonblue results``: what the newest significance tests found."""

from __future__ import annotations

import json
from typing import Any

import clickhouse_connect.driver.exceptions as clickhouse_errors
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.clickhouse import connect
from neonblue.settings import Settings

NEWEST = """
SELECT * FROM experiment_results
WHERE experiment_key = {key:String}
  AND (computed_at, run_id) = (
      SELECT computed_at, run_id FROM experiment_results WHERE experiment_key = {key:String}
      ORDER BY computed_at DESC, run_id LIMIT 1
  )
ORDER BY metric_key, variant_key
"""


COLUMNS = ("metric", "variant", "n control", "n", "control", "variant", "difference", "interval", "p")


def results(key: str, json_output: AsJson = False, data_dir: DataDir = None) -> None:
    """Print the newest results of the experiment KEY."""
    settings = Settings.load(data_dir)
    try:
        with connect(settings.clickhouse) as client:
            rows = list(client.query(NEWEST, parameters={"key": key}).named_results())
    except clickhouse_errors.ClickHouseError as error:
        fail(f"ClickHouse: {error}")
    if json_output:
        typer.echo(json.dumps({"experiment": key, "results": rows}, default=str, indent=2))
    elif rows:
        _show(key, rows)
    if not rows:
        fail(f"there are no results of {key!r}: unknown experiment, or Dagster's job has not run yet")


def _show(key: str, rows: list[dict[str, Any]]) -> None:
    first = rows[0]
    out = console()
    out.print(f"[bold]{key}[/]  [dim]computed {first['computed_at']:%Y-%m-%d %H:%M:%S} UTC[/]")
    table = Table(header_style="dim", box=SIMPLE_HEAD, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in COLUMNS[:2] else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["metric_key"],
            row["variant_key"],
            f"{row['n_control']:,}",
            f"{row['n_variant']:,}",
            _number(row["mean_control"], "{:.4f}"),
            _number(row["mean_variant"], "{:.4f}"),
            _number(row["difference"], "{:+.4f}") if row["status"] == "ok" else row["status_reason"],
            _interval(row),
            _number(row["p_value"], "{:.3g}"),
        )
    out.print(table)
    mismatch = first["sample_ratio_status"] == "mismatch"
    colour = "bold red" if mismatch else "dim"
    out.print(f"[{colour}]sample ratio {first['sample_ratio_status']}[/], p = {first['sample_ratio_p']}")


def _interval(row: dict[str, Any]) -> str:
    if row["ci_low"] is None or row["ci_high"] is None:
        return ""
    return f"{row['ci_low']:+.4f} … {row['ci_high']:+.4f}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
