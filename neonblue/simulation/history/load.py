"""Writes a history straight into ClickHouse's ingestion tables: as the stream would, but in large batches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import msgspec
import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client

from neonblue.clickhouse.client import execute
from neonblue.contract.messages import ExperimentMessage
from neonblue.simulation.history.events import History


@dataclass(slots=True)
class Loaded:
    """How many rows were written, copies included."""

    experiments: int = 0
    assignments: int = 0
    events: int = 0
    erasures: int = 0
    links: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, float]:
        return asdict(self)


def load(
    client: Client, history: History, on_progress: Callable[[Loaded], object] = lambda _: None
) -> Loaded:
    """Write everything. Safe to repeat: the same rows come again, and copies collapse."""
    started, loaded = time.monotonic(), Loaded()
    for design in history.plan.designs():
        loaded.experiments += insert_experiments(client, design.versions())
    for assignments in history.assignments():
        insert_assignments(client, assignments)
        loaded.assignments += len(assignments)
    loaded.links = insert_links(client, history.links())
    loaded.erasures = insert_erasures(client, history)
    for events in history.events():
        insert_events(client, events)
        loaded.events += len(events)
        loaded.seconds = time.monotonic() - started
        on_progress(loaded)
    loaded.seconds = time.monotonic() - started
    return loaded


# The erased are named by hashes, which ClickHouse computes.
_ERASURES = """
INSERT INTO erased_users (unit_type, person, person_key, erased_at, received_at, ingested_at)
SELECT 'user', SHA256(concat('user', '\\0', erased.1)), cityHash64('user', erased.1),
       fromUnixTimestamp64Micro(erased.2, 'UTC'), fromUnixTimestamp64Micro(erased.2, 'UTC'), now64(3, 'UTC')
FROM (SELECT arrayJoin(arrayZip({users:Array(String)}, {times:Array(Int64)})) AS erased)
"""


def insert_experiments(client: Client, versions: list[ExperimentMessage]) -> int:
    """One row per configuration."""
    now = int(time.time() * 1e6)
    rows = {
        "experiment_id": pa.array([message.experiment_id for message in versions], pa.uint32()),
        "version": pa.array([message.version for message in versions], pa.uint32()),
        "snapshot": pa.array([msgspec.json.encode(message).decode() for message in versions]),
        "received_at": _instants([message.received_at for message in versions]),
        "started_at": _instants([message.started_at or message.received_at for message in versions]),
        "ingested_at": pa.array([now // 1000] * len(versions), pa.timestamp("ms", "UTC")),
    }
    for name in ("key", "name", "source", "unit_type", "population", "status"):
        rows[name] = pa.array([getattr(message, name) or "" for message in versions], pa.string())
    client.insert_arrow("experiments", pa.table(rows))
    return len(versions)


def insert_assignments(client: Client, assignments: pa.Table) -> None:
    """Rows of `History.assignments`, ingested now."""
    client.insert_arrow("assignments", _ingested_now(assignments))


def insert_events(client: Client, events: pa.Table) -> None:
    """Rows of `History.events`, ingested now."""
    now = int(time.time() * 1e6)
    at = np.asarray(events["timestamp"].cast(pa.int64()))
    received = at + np.asarray(events["received_delay"])
    # Half-up to milliseconds as the column's own arithmetic does, so that ingested_at is now.
    events = events.append_column("ingested_delay", pa.array(now // 1000 - received // 1000, pa.int64()))
    client.insert_arrow("events_processed", events)


def insert_links(client: Client, links: pa.Table) -> int:
    """Rows of `History.links`, ingested now."""
    if len(links):
        client.insert_arrow("user_links", _ingested_now(links))
    return len(links)


def insert_erasures(client: Client, history: History) -> int:
    """The history's erasures, ingested now."""
    erased = history.erasures()
    if erased:
        named = {"users": [name for name, _ in erased], "times": [at for _, at in erased]}
        execute(client, _ERASURES, named)
    return len(erased)


def _ingested_now(rows: pa.Table) -> pa.Table:
    now = pa.scalar(int(time.time() * 1e3), pa.timestamp("ms", "UTC"))
    return rows.append_column("ingested_at", pa.repeat(now, len(rows)))


def _instants(texts: list[str]) -> pa.Array:
    return pa.array(np.array([text.rstrip("Z") for text in texts], dtype="datetime64[us]")).cast(
        pa.timestamp("us", "UTC")
    )
