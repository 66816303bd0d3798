"""Carrying out calls with retries, over httpx, in both worlds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx

from neonblue.client.calls import Call
from neonblue.client.errors import UnavailableError, api_error
from neonblue.client.retry import RetryPolicy, parse_retry_after, repeatable

T = TypeVar("T")

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Transport errors after which the server can't have taken the request."""


def headers(token: str) -> dict[str, str]:
    """Headers of every request."""
    return {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "User-Agent": "neonblue-python",
    }


def _answer(call: Call[T], response: httpx.Response) -> T:
    """The decoded answer. Raises the error of a refused request."""
    if response.is_success or response.status_code in call.also:
        try:
            return call.decode(response.content)
        except ValueError:
            if response.is_success:
                raise
    raise api_error(response.status_code, response.content)


class Attempts:
    """Decides, after each failure of one call, whether there is another attempt and when."""

    def __init__(self, call: Call[Any], policy: RetryPolicy) -> None:
        self._call = call
        self._policy = policy
        self._waits: Iterator[float] = policy.waits()

    def after_answer(self, response: httpx.Response) -> float | None:
        """Seconds to wait before the next attempt; None where the answer is final."""
        if not repeatable(response.status_code, idempotent=self._call.idempotent):
            return None
        drawn = next(self._waits, None)
        if drawn is None:
            message = f"{self._call.method} {self._call.path}: still {response.status_code} after every retry"
            raise UnavailableError(message) from api_error(response.status_code, response.content)
        return self._policy.wait(drawn, parse_retry_after(response.headers.get("Retry-After")))

    def after_error(self, error: httpx.TransportError) -> float:
        """Seconds to wait before the next attempt. Raises UnavailableError where there is none."""
        drawn = next(self._waits, None)
        if drawn is None or not (self._call.idempotent or isinstance(error, NEVER_SENT)):
            raise UnavailableError(f"{self._call.method} {self._call.path}: {error!r}") from error
        return drawn


def execute(
    http: httpx.Client, call: Call[T], policy: RetryPolicy, sleep: Callable[[float], object] = time.sleep
) -> T:
    """Make `call` until it is answered for good. Raises ApiError or UnavailableError."""
    attempts = Attempts(call, policy)
    while True:
        try:
            response = http.request(call.method, call.path, content=call.body, headers=call.headers)
        except httpx.TransportError as error:
            sleep(attempts.after_error(error))
            continue
        wait = attempts.after_answer(response)
        if wait is None:
            return _answer(call, response)
        sleep(wait)


async def execute_async(http: httpx.AsyncClient, call: Call[T], policy: RetryPolicy) -> T:
    """As `execute`, without blocking the event loop."""
    attempts = Attempts(call, policy)
    while True:
        try:
            response = await http.request(call.method, call.path, content=call.body, headers=call.headers)
        except httpx.TransportError as error:
            await asyncio.sleep(attempts.after_error(error))
            continue
        wait = attempts.after_answer(response)
        if wait is None:
            return _answer(call, response)
        await asyncio.sleep(wait)
