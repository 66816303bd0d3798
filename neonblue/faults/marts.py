"""Whether the models that were built amid the faults are those of a clean build."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal

from clickhouse_connect.driver.client import Client

from neonblue.clickhouse.client import connect
from neonblue.faults.own_stack import OwnStack

MARTS = (
    "cohort_retention", "daily_metrics", "experiment_summary", "exposure_health", "exposure_stages", "funnels",
    "hourly_metrics", "metric_moments", "revenue_attribution", "segment_metrics", "user_journeys",
)  # fmt: skip
BUILD = ("dbt", "run", "--exclude", "path:models/live")
_BUILD_COLUMN = "A build column"
_DIGITS = 9
"""Floating-point sums are compared to so many digits: their order is not the same in two builds."""


def build(stack: OwnStack, *options: str) -> str:
    """Build the models; '' where that succeeded, else its last words."""
    done = stack.command(*BUILD, *options, seconds=900)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return "" if done.returncode == 0 else " | ".join(lines[-6:]) or f"exit code {done.returncode}"


def differing(stack: OwnStack) -> list[str]:
    """Build what is new, then everything from nothing: the marts that are not the same. Nothing may flow meanwhile."""
    if told := build(stack):
        return [f"the build of what is new failed: {told}"]
    before = _digests(stack)
    if told := build(stack, "--full-refresh"):
        return [f"the build from nothing failed: {told}"]
    after = _digests(stack)
    return [
        f"{name}: {before[name][0]} rows after the builds amid the faults, {after[name][0]} of a clean build"
        if before[name][0] != after[name][0]
        else f"{name}: other values than those of a clean build"
        for name in MARTS
        if before[name] != after[name]
    ]


def _digests(stack: OwnStack) -> dict[str, tuple[int, str]]:
    with connect(stack.settings.clickhouse) as client:
        return {name: _digest(client, name) for name in MARTS}


def _digest(client: Client, mart: str) -> tuple[int, str]:
    columns = client.query(
        "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {mart:String} "
        "AND NOT startsWith(comment, {built:String}) AND name NOT IN ('built_at', 'dbt_updated_at') ORDER BY name",
        parameters={"mart": mart, "built": _BUILD_COLUMN},
    ).result_rows
    names = ", ".join(f"`{name}`" for (name,) in columns)
    rows = client.query(f"SELECT {names} FROM `{mart}`" if names else "SELECT 1 WHERE 0").result_rows  # noqa: S608 - names of our own models
    texts = sorted("\t".join(_texts(row)) for row in rows)
    return len(texts), hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _texts(row: Sequence[object]) -> Iterator[str]:
    for value in row:
        number = isinstance(value, float | Decimal)
        yield f"{float(value):.{_DIGITS}g}" if number else str(value)  # type: ignore[arg-type]
