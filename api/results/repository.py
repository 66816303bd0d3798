"""Results in ClickHouse."""

from __future__ import annotations

import asyncio
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from neonblue.settings import ClickHouseSettings

_NEWEST = """
SELECT * FROM experiment_results
WHERE experiment_id = {experiment_id:UInt32}
  AND run_id = (SELECT argMax(run_id, computed_at) FROM experiment_results
                WHERE experiment_id = {experiment_id:UInt32})
ORDER BY metric_key, metric_version, variant_key
"""


async def read_newest(settings: ClickHouseSettings, experiment_id: int) -> list[dict[str, Any]]:
    """The rows of the experiment's newest run; none before the first.

    Raises ClickHouse's or the network's error.
    """
    return await asyncio.to_thread(_read_newest, settings, experiment_id)


def _read_newest(settings: ClickHouseSettings, experiment_id: int) -> list[dict[str, Any]]:
    client = _connect(settings)
    try:
        found = client.query(_NEWEST, parameters={"experiment_id": experiment_id})
        return list(found.named_results())
    finally:
        client.close()


def _connect(settings: ClickHouseSettings) -> Client:
    return clickhouse_connect.get_client(
        dsn=settings.address,
        username=settings.user,
        password=settings.password.get_secret_value(),
        database=settings.database,
        connect_timeout=3,
        send_receive_timeout=20,
        autogenerate_session_id=False,
    )
