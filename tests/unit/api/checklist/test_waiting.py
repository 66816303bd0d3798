"""What ClickHouse does not answer in time is not known, and is not asked for again beside it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest

from api.checklist import service
from api.checklist.service import ChecklistService
from api.results.repository import unanswered


class Reader:
    """Reads in threads, as the one of ClickHouse does; or is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.begun = 0

    async def read(self, work: Any) -> Any:
        self.begun += 1
        if self.away:
            raise unanswered()
        return await asyncio.to_thread(work, None)


def checklists(reader: Reader, results: object = None) -> ChecklistService:
    return ChecklistService(cast("Any", None), cast("Any", None), cast("Any", reader), cast("Any", results))


def test_a_reading_that_hangs_is_not_known_and_begun_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SECONDS", 0.05)
    over, reader = threading.Event(), Reader()

    def hanging(_: object) -> str:
        over.wait(20)
        return "there"

    async def ask() -> None:
        asked = checklists(reader)
        assert [await asked._asked("seen", hanging) for _ in range(2)] == [None, None]
        assert reader.begun == 1
        over.set()
        await asyncio.wait(asked._readings.under_way.values())
        monkeypatch.setattr(service, "SECONDS", 20.0)
        assert await asked._asked("seen", hanging) == "there"

    asyncio.run(ask())


def test_without_clickhouse_nothing_is_known() -> None:
    class Away:
        async def health(self, _: str) -> object:
            raise unanswered()

    async def ask() -> None:
        asked = checklists(Reader(away=True), Away())
        assert await asked._asked("seen", lambda _: 1) is None
        assert await asked._health("key") is None

    asyncio.run(ask())


def test_what_is_wrong_here_is_told() -> None:
    def wrong(_: object) -> int:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        asyncio.run(checklists(Reader())._asked("seen", wrong))
