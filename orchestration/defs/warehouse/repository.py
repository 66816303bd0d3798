"""What ClickHouse says about the models' builds."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from clickhouse_connect.driver.client import Client

_BUILDS = "SELECT model, toString(day) FROM partition_builds WHERE built_at >= {since:DateTime64(3, 'UTC')}"


def read_builds(client: Client, since: datetime) -> dict[str, set[str]]:
    """The days each model was built for since then."""
    found: dict[str, set[str]] = defaultdict(set)
    for model, day in client.query(_BUILDS, parameters={"since": since}).result_rows:
        found[model].add(day)
    return found
