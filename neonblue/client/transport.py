"""Carrying out calls with retries, over httpx, in both worlds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx

from neonblue.client.calls import Call
from neonblue.client.errors import UnavailableError, api_error
from neonblue.client.retry import RetryPolicy, parse_retry_after, repeatable

T = TypeVar("T")

Sleep = Callable[[float], object]
AsyncSleep = Callable[[float], Awaitable[object]]

_SHORTEST_SECONDS = 0.001

_SENT_AT = "Sent-At"
_SENT_AT_NAME = _SENT_AT.lower().encode()
_HEAD_BEGINS = ".send_request_headers.started"

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Transport errors after which the server can't have taken the request."""


def headers(token: str) -> dict[str, str]:
    """Headers of every request."""
    return {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "User-Agent": "neonblue-python",
    }


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _call_headers(call: Call[Any], *, corrects_clock: bool) -> dict[str, str]:
    """The call's own headers and, unless not wanted, this machine's clock, by which the API corrects events' times."""
    return {**call.headers, _SENT_AT: _now()} if corrects_clock else dict(call.headers)


def _stamp(event: str, info: dict[str, Any]) -> None:
    """Set the clock anew, where the request has it, as its head is written: waiting for a connection is no wrong clock.

    What httpcore calls at each event of a request, as its `trace` extension; other transports know no such thing.
    """
    if not event.endswith(_HEAD_BEGINS):
        return
    request = info["request"]
    request.headers = [
        (name, _now().encode() if name.lower() == _SENT_AT_NAME else value) for name, value in request.headers
    ]


async def _stamp_async(event: str, info: dict[str, Any]) -> None:
    _stamp(event, info)


def _answer(call: Call[T], response: httpx.Response) -> T:
    """The decoded answer. Raises the error of a refused request."""
    if response.is_success or response.status_code in call.also:
        try:
            return call.decode(response.content)
        except ValueError as error:
            if response.is_success:
                message = f"{call.method} {call.path}: {response.status_code}, but no answer of NeonBlue's API: {error}"
                raise UnavailableError(message) from error
    raise api_error(response.status_code, response.content)


class Attempts:
    """Decides, after each failure of one call, whether there is another attempt and when.

    within_seconds: the longest that all attempts and the waits between them take; None: no such bound.
    """

    def __init__(self, call: Call[Any], policy: RetryPolicy, within_seconds: float | None = None) -> None:
        self._call = call
        self._policy = policy
        self._waits: Iterator[float] = policy.waits()
        self._until = None if within_seconds is None else time.monotonic() + within_seconds

    def request_options(self, client_seconds: float | None) -> dict[str, Any]:
        """The options of the next request: at most the client's time-out, and what is left of the bound."""
        left = self._left()
        if left is None:
            return {}
        return {
            "timeout": max(_SHORTEST_SECONDS, left if client_seconds is None else min(left, client_seconds))
        }

    def _left(self) -> float | None:
        return None if self._until is None else self._until - time.monotonic()

    def _in_time(self, wait: float) -> bool:
        left = self._left()
        return left is None or wait < left

    def after_answer(self, response: httpx.Response) -> float | None:
        """Seconds to wait before the next attempt; None where the answer is final."""
        if not repeatable(response.status_code, idempotent=self._call.idempotent):
            return None
        drawn = next(self._waits, None)
        if drawn is not None:
            wait = self._policy.wait(drawn, parse_retry_after(response.headers.get("Retry-After")))
            if self._in_time(wait):
                return wait
        message = (
            f"{self._call.method} {self._call.path}: still {response.status_code} after every retry in time"
        )
        raise UnavailableError(message) from api_error(response.status_code, response.content)

    def after_error(self, error: httpx.RequestError) -> float:
        """Seconds to wait before the next attempt. Raises UnavailableError where there is none."""
        drawn = next(self._waits, None)
        again = self._call.idempotent or isinstance(error, NEVER_SENT)
        if drawn is None or not again or not self._in_time(drawn):
            raise UnavailableError(f"{self._call.method} {self._call.path}: {error!r}") from error
        return drawn


def execute(
    http: httpx.Client,
    call: Call[T],
    policy: RetryPolicy,
    sleep: Sleep = time.sleep,
    within_seconds: float | None = None,
    *,
    corrects_clock: bool = True,
) -> T:
    """Make `call` until it is answered for good. Raises ApiError or UnavailableError.

    corrects_clock: whether each attempt says what this machine's clock is.
    """
    attempts = Attempts(call, policy, within_seconds)
    while True:
        options = attempts.request_options(http.timeout.read)
        try:
            response = http.request(
                call.method,
                call.path,
                content=call.body,
                headers=_call_headers(call, corrects_clock=corrects_clock),
                extensions={"trace": _stamp},
                **options,
            )
        except httpx.RequestError as error:
            sleep(attempts.after_error(error))
            continue
        wait = attempts.after_answer(response)
        if wait is None:
            return _answer(call, response)
        sleep(wait)


async def execute_async(
    http: httpx.AsyncClient,
    call: Call[T],
    policy: RetryPolicy,
    sleep: AsyncSleep = asyncio.sleep,
    within_seconds: float | None = None,
    *,
    corrects_clock: bool = True,
) -> T:
    """As `execute`, without blocking the event loop."""
    attempts = Attempts(call, policy, within_seconds)
    while True:
        options = attempts.request_options(http.timeout.read)
        try:
            response = await http.request(
                call.method,
                call.path,
                content=call.body,
                headers=_call_headers(call, corrects_clock=corrects_clock),
                extensions={"trace": _stamp_async},
                **options,
            )
        except httpx.RequestError as error:
            await sleep(attempts.after_error(error))
            continue
        wait = attempts.after_answer(response)
        if wait is None:
            return _answer(call, response)
        await sleep(wait)
