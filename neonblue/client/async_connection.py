"""The connections of a client for asyncio."""

from __future__ import annotations

import asyncio
from functools import partial

import httpx

from neonblue.client.calls import Call
from neonblue.client.retry import RetryPolicy
from neonblue.client.transport import AsyncSleep, T, execute_async, headers

CONNECTIONS = 16
"""At once, unless told otherwise: calls beyond them wait for one."""

AsyncTransport = httpx.AsyncBaseTransport


class AsyncConnection:
    """Carries out calls, in one event loop at a time; opened with a loop's first one."""

    def __init__(
        self,
        base_url: str,
        token: str,
        timeout_seconds: float,
        connections: int,
        transport: AsyncTransport | None,
        *,
        corrects_clock: bool,
    ) -> None:
        self._connect = partial(
            httpx.AsyncClient,
            base_url=base_url,
            headers=headers(token),
            timeout=httpx.Timeout(timeout_seconds, pool=None),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            transport=transport,
        )
        self._http: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._corrects_clock = corrects_clock

    def after_fork(self) -> None:
        """Begin anew. The parent's are left open and unused: closing them here could end a request of the parent's."""
        self._parents, self._http, self._loop = self._http, None, None

    async def execute(
        self,
        call: Call[T],
        policy: RetryPolicy,
        within_seconds: float | None = None,
        sleep: AsyncSleep = asyncio.sleep,
    ) -> T:
        """Make `call` until it is answered for good. Raises ApiError or UnavailableError."""
        loop = asyncio.get_running_loop()
        if self._http is None or self._loop is not loop:
            self._http, self._loop = self._connect(), loop
        return await execute_async(
            self._http, call, policy, sleep, within_seconds, corrects_clock=self._corrects_clock
        )

    async def close(self) -> None:
        """End those of the loop that runs; another loop's ended with it."""
        if self._http is not None and self._loop is asyncio.get_running_loop():
            await self._http.aclose()
