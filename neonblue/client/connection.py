"""The connections of a client that blocks."""

from __future__ import annotations

import threading
import time
from functools import partial

import httpx

from neonblue.client.calls import Call
from neonblue.client.errors import ClosedError
from neonblue.client.retry import RetryPolicy
from neonblue.client.transport import Sleep, T, execute, headers

CONNECTIONS = 100
"""At once, unless told otherwise: a thread that calls has one."""

Transport = httpx.BaseTransport


class Connection:
    """Carries out calls; opened with the first one. May be shared by threads."""

    def __init__(
        self,
        base_url: str,
        token: str,
        timeout_seconds: float,
        connections: int,
        transport: Transport | None,
        *,
        corrects_clock: bool,
    ) -> None:
        self._connect = partial(
            httpx.Client,
            base_url=base_url,
            headers=headers(token),
            timeout=timeout_seconds,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=min(connections, 20)),
            transport=transport,
        )
        self._http: httpx.Client | None = None
        self._opening = threading.Lock()
        self._corrects_clock = corrects_clock

    def after_fork(self) -> None:
        """Begin anew. The parent's are left open and unused: closing them here could end a request of the parent's."""
        self._parents, self._http = self._http, None
        self._opening = threading.Lock()

    def execute(
        self,
        call: Call[T],
        policy: RetryPolicy,
        within_seconds: float | None = None,
        sleep: Sleep = time.sleep,
    ) -> T:
        """Make `call` until it is answered for good. Raises ApiError, UnavailableError, ClosedError."""
        http = self._opened()
        try:
            return execute(http, call, policy, sleep, within_seconds, corrects_clock=self._corrects_clock)
        except RuntimeError:
            if http.is_closed:
                raise ClosedError("the client is closed") from None
            raise

    def _opened(self) -> httpx.Client:
        """One for all threads, however many make the first call at once."""
        with self._opening:
            if self._http is None:
                self._http = self._connect()
            return self._http

    def close(self) -> None:
        """End them."""
        if self._http is not None:
            self._http.close()
