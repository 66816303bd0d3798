"""A ClickHouse server of the tests' own, with the ingestion layer in it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from clickhouse_connect.driver.client import Client

from neonblue.clickhouse.client import opened
from neonblue.clickhouse.migrations import read_migrations
from neonblue.files import Folder, folder
from neonblue.settings import Settings

_START_SECONDS = 60
_SERVER = (sys.executable, "-m", "neonblue.clickhouse_server")
# Stands in for the Kafka table where no broker runs: an insert takes the way of a consumed message.
TOPIC_STAND_IN = """
CREATE TABLE raw_events_kafka
(
    message String,
    _topic LowCardinality(String) DEFAULT 'experiments_events',
    _partition UInt64 DEFAULT 0,
    _offset UInt64,
    _error String
)
ENGINE = Null
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment(directory: Path, port: int) -> dict[str, str]:
    return {
        "NEONBLUE_DATA_DIR": str(directory),
        "NEONBLUE_CLICKHOUSE_PORT": str(port),
        "NEONBLUE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",  # nothing listens there
        "NEONBLUE_CLICKHOUSE_USER": "tester",
        "NEONBLUE_CLICKHOUSE_PASSWORD": "a-password",
        "NEONBLUE_CLICKHOUSE_READONLY_USER": "reader",
        "NEONBLUE_CLICKHOUSE_READONLY_PASSWORD": "another-password",
    }


@contextmanager
def running(directory: Path) -> Iterator[Settings]:
    """The embedded server on `directory`, and the settings that lead to it."""
    variables = environment(directory, free_port())
    port = variables["NEONBLUE_CLICKHOUSE_PORT"]
    with (directory / "server.log").open("wb") as output:
        process = subprocess.Popen(
            [*_SERVER, "--path", directory / "data", "--port", port],
            env={**os.environ, **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _await(process, f"http://127.0.0.1:{port}/ping", directory / "server.log")
        yield Settings.model_validate(
            {
                "data_dir": directory,
                "clickhouse": {"port": port, "user": "tester", "password": "a-password"},
            }
        )
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await(process: subprocess.Popen[bytes], address: str, output: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(address, timeout=1).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{output.read_text()[-4000:]}")


def connect(settings: Settings) -> Client:
    return opened(settings.clickhouse)


def create_ingestion_layer(client: Client) -> None:
    """Every table and view of ``clickhouse/``, with the stand-in for the topic."""
    client.command(TOPIC_STAND_IN)
    for migration in read_migrations(folder(Folder.CLICKHOUSE)):
        for statement in migration.statements({"ON_CLUSTER": "", "REPLICATED": ""}):
            client.command(statement)


class Topic:
    """Sends messages as Debezium does."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._offsets = count()

    def send(self, *messages: bytes) -> list[int]:
        """The messages' offsets; all arrive in one block."""
        offsets = [next(self._offsets) for _ in messages]
        self.send_at(dict(zip(offsets, messages, strict=True)))
        return offsets

    def send_at(self, messages: Mapping[int, bytes]) -> None:
        self._client.insert(
            "raw_events_kafka",
            [[message, offset] for offset, message in messages.items()],
            column_names=["message", "_offset"],
        )


_EVENT_TYPES = {
    "event": "EVENT_CREATED",
    "event_batch": "EVENTS_CREATED",
    "assignment": "ASSIGNMENT_CREATED",
    "assignment_batch": "ASSIGNMENTS_CREATED",
    "experiment": "EXPERIMENT_CHANGED",
    "user": "USER_ERASED",
    "user_link": "USER_LINKED",
}


def envelope(aggregate_type: str, payload: object, *, op: str = "c", event_type: str | None = None) -> bytes:
    """Debezium's envelope round an outbox row; `payload` that is no string is encoded."""
    row = {
        "id": 1,
        "aggregate_type": aggregate_type,
        "aggregate_id": "x",
        "event_type": event_type or _EVENT_TYPES[aggregate_type],
        "payload": payload if isinstance(payload, str) else json.dumps(payload),
        "created_at": "2026-01-02T03:04:05.123456Z",
    }
    source = {"connector": "postgresql", "table": "outbox_events", "sequence": '["1","2"]'}
    return json.dumps(
        {"before": None, "after": row, "source": source, "op": op, "ts_ms": 1767323045123}
    ).encode()


_ids = count(1)


def event(**fields: Any) -> dict[str, Any]:
    """A good event with an id of its own, changed by `fields`; ``...`` leaves a field out."""
    whole = {
        "schema_version": 1,
        "id": f"0198f2d0-1111-7000-8000-{next(_ids):012x}",
        "user_id": "u1",
        "unit_type": "user",
        "event_type": "page_view",
        "timestamp": "2026-01-02T03:04:05.123456Z",
        "experiment_id": 1,
        "variant_key": "control",
        "session_id": "s1",
        "value": "12.340000",
        "properties": {"page": "/pricing"},
        "received_at": "2026-01-02T03:04:05.223456Z",
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def rows(client: Client, query: str) -> Sequence[Sequence[Any]]:
    result: Sequence[Sequence[Any]] = client.query(query).result_rows
    return result
