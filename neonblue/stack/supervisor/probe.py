"""Small questions to a service over its own protocol."""

from __future__ import annotations

import socket
from functools import cache
from pathlib import Path

import httpx
from httpx import HTTPStatusError as HTTPStatusError

from neonblue.settings import ClickHouseSettings

SECONDS = 2.0


@cache
def _client() -> httpx.Client:
    # Loopback traffic must not go through a proxy that the environment names.
    return httpx.Client(timeout=SECONDS, trust_env=False)


def get(url: str, **arguments: object) -> httpx.Response:
    """GET; raises on a refused connection or a status that is no success."""
    return _client().get(url, **arguments).raise_for_status()  # type: ignore[arg-type]


def clickhouse(settings: ClickHouseSettings, statement: str, seconds: float = SECONDS) -> list[str]:
    """What a statement of ClickHouse's administrator answers: its lines, columns between tabs. Raises httpx's error."""
    answer = _client().post(
        settings.address,
        params={"database": settings.database},
        content=statement,
        auth=(settings.user, settings.password.get_secret_value()),
        timeout=seconds,
    )
    return answer.raise_for_status().text.splitlines()


def ask(url: str, seconds: float) -> httpx.Response:
    """GET; the answer also where its status is no success."""
    return _client().get(url, timeout=seconds)


def put(url: str, body: object, **arguments: object) -> httpx.Response:
    return _client().put(url, json=body, timeout=30, **arguments).raise_for_status()  # type: ignore[arg-type]


def post(url: str, body: object = None, **arguments: object) -> httpx.Response:
    return _client().post(url, json=body, timeout=30, **arguments).raise_for_status()  # type: ignore[arg-type]


def responds(url: str, seconds: float) -> httpx.Response:
    """The response, also an error, on a new connection; raises httpx's error when there is none."""
    return _client().get(url, headers={"connection": "close"}, timeout=seconds)


def speaks(host: str, port: int, words: bytes, seconds: float) -> None:
    """Return when something there says anything to `words` on a new connection; raises ``OSError`` when it does not.

    That it accepts the connection says nothing: the kernel does that for a process that is stopped.
    """
    with socket.create_connection((host, port), timeout=seconds) as connection:
        _exchange(connection, words)


def speaks_at(path: Path, words: bytes, seconds: float) -> None:
    """As `speaks`, on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(str(path))
        _exchange(connection, words)


def _exchange(connection: socket.socket, words: bytes) -> None:
    connection.sendall(words)
    if not connection.recv(1):
        raise ConnectionError("it hung up without a word")
