"""One connection to ClickHouse for all readers of results."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from api.http.problems import Problem
from neonblue.clickhouse.client import opened
from neonblue.settings import ClickHouseSettings

log = structlog.get_logger("api.results")

Found = TypeVar("Found")

_CONNECT_SECONDS, _ANSWER_SECONDS = 3, 60
"""Somebody waits for the page."""


def unanswered() -> Problem:
    """ClickHouse fails, is away, or did not answer in time."""
    return Problem(
        503, "clickhouse_unavailable", "The results can't be read now", headers={"retry-after": "5"}
    )


class ResultsReader:
    """Runs blocking reads in threads. The client has no session, so its queries may overlap.

    answer_seconds: a query that sends nothing for so long has failed.
    """

    def __init__(self, settings: ClickHouseSettings, answer_seconds: int = _ANSWER_SECONDS) -> None:
        self._settings = settings
        self._answer_seconds = answer_seconds
        self._client: Client | None = None
        self._lock = threading.Lock()

    async def read(self, work: Callable[[Client], Found]) -> Found:
        """What `work` returns. Raises Problem `clickhouse_unavailable` where ClickHouse fails or is away."""
        try:
            return await asyncio.to_thread(self._read, work)
        except (ClickHouseError, OSError) as error:
            log.warning("clickhouse_failed", error=type(error).__name__, code=getattr(error, "code", None))
            raise unanswered() from None

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _read(self, work: Callable[[Client], Found]) -> Found:
        return work(self._connected())

    def _connected(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = opened(
                    self._settings, connect_seconds=_CONNECT_SECONDS, answer_seconds=self._answer_seconds
                )
            return self._client
