"""Small questions to a service over its own protocol."""

from __future__ import annotations

import socket
from functools import cache

import httpx
from httpx import HTTPStatusError as HTTPStatusError

SECONDS = 2.0


@cache
def _client() -> httpx.Client:
    # Loopback traffic must not go through a proxy that the environment names.
    return httpx.Client(timeout=SECONDS, trust_env=False)


def get(url: str, **arguments: object) -> httpx.Response:
    """GET; raises on a refused connection or a status that is no success."""
    return _client().get(url, **arguments).raise_for_status()  # type: ignore[arg-type]


def put(url: str, body: object) -> httpx.Response:
    return _client().put(url, json=body, timeout=30).raise_for_status()


def post(url: str, body: object = None) -> httpx.Response:
    return _client().post(url, json=body, timeout=30).raise_for_status()


def connects(host: str, port: int) -> None:
    """Raise ``OSError`` unless something accepts connections there. Cheaper than a client that retries."""
    with socket.create_connection((host, port), timeout=SECONDS):
        pass
