"""What both clients say of this machine's clock."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest

from neonblue.client import AsyncClient, Client, RetryPolicy, event_of

from .conftest import Failure, RecordingServer

QUICK = RetryPolicy(attempts=4, base_seconds=0.001, cap_seconds=0.002)
ONE = httpx.Limits(max_connections=1)


class Waiting(httpx.HTTPTransport):
    """One connection. `second` is set once another request is about to wait for it."""

    def __init__(self) -> None:
        super().__init__(limits=ONE)
        self.asked = 0
        self.second = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.asked == 2:
            self.second.set()
        return super().handle_request(request)


class AsyncWaiting(httpx.AsyncHTTPTransport):
    """The same for asyncio."""

    def __init__(self) -> None:
        super().__init__(limits=ONE)
        self.asked = 0
        self.second = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.asked == 2:
            self.second.set()
        return await super().handle_async_request(request)


def released(server: RecordingServer) -> datetime:
    """Let the held request be answered. Returns the time before that."""
    now = datetime.now(UTC)
    server.gate.set()
    return now


def assert_said_after(server: RecordingServer, freed: datetime) -> None:
    """Every request but the first was sent when the connection was free, and says so."""
    for said, arrived in server.clocks[1:]:
        assert said is not None
        assert freed <= datetime.fromisoformat(said) <= arrived


@pytest.mark.parametrize("failures", [[], [503, 503]])
def test_waiting_for_a_connection_is_no_wrong_clock(server: RecordingServer, failures: list[int]) -> None:
    server.failures = [Failure(status) for status in failures]
    server.gate.clear()
    transport = Waiting()
    with (
        Client(server.url, "token", retry=QUICK, transport=transport) as client,
        ThreadPoolExecutor(2) as threads,
    ):
        sent = [threads.submit(client.send, [event_of("click", "ada")]) for _ in range(2)]
        assert transport.second.wait(20)
        freed = released(server)
        assert [each.result(20).accepted for each in sent] == [1, 1]

    assert len(server.clocks) == 2 + len(failures)
    assert_said_after(server, freed)


@pytest.mark.parametrize("failures", [[], [503, 503]])
def test_waiting_in_asyncio_is_no_wrong_clock(server: RecordingServer, failures: list[int]) -> None:
    server.failures = [Failure(status) for status in failures]
    server.gate.clear()

    async def run() -> datetime:
        transport = AsyncWaiting()
        async with (
            AsyncClient(server.url, "token", retry=QUICK, transport=transport) as client,
            asyncio.timeout(20),
            asyncio.TaskGroup() as tasks,
        ):
            for _ in range(2):
                tasks.create_task(client.send([event_of("click", "ada")]))
            await transport.second.wait()
            return released(server)

    freed = asyncio.run(run())

    assert len(server.clocks) == 2 + len(failures)
    assert_said_after(server, freed)


def test_another_transport_is_told_too() -> None:
    said = []

    def answer(request: httpx.Request) -> httpx.Response:
        said.append(datetime.fromisoformat(request.headers["Sent-At"]))
        return httpx.Response(200, content=b'{"accepted": 1, "duplicates": 0, "rejected": 0, "items": []}')

    before = datetime.now(UTC)
    with Client("http://api", "token", transport=httpx.MockTransport(answer)) as client:
        client.send([event_of("click", "ada")])

    assert before <= said[0] <= datetime.now(UTC)


@pytest.mark.parametrize("corrects", [True, False])
def test_times_of_other_clocks_go_without_this_ones(server: RecordingServer, corrects: bool) -> None:
    server.failures = [Failure(503)]
    with Client(server.url, "token", retry=QUICK, corrects_clock=corrects) as client:
        client.send([event_of("click", "ada")])
        client.track("click", "ada")

    assert [said is not None for said, _ in server.clocks] == [corrects] * 3


@pytest.mark.parametrize("corrects", [True, False])
def test_times_of_other_clocks_go_without_this_ones_in_asyncio(
    server: RecordingServer, corrects: bool
) -> None:
    server.failures = [Failure(503)]

    async def run() -> None:
        async with AsyncClient(server.url, "token", retry=QUICK, corrects_clock=corrects) as client:
            await client.send([event_of("click", "ada")])
            await client.track("click", "ada")

    asyncio.run(run())

    assert [said is not None for said, _ in server.clocks] == [corrects] * 3
