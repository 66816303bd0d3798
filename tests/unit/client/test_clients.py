"""Both clients against a server that fails in the ways networks do."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest

from neonblue.client import (
    AsyncClient,
    BatchOptions,
    Client,
    ClientError,
    ClosedError,
    NewEvent,
    QueueFullError,
    RetryPolicy,
    UnavailableError,
    ValidationError,
    event_of,
)

from .conftest import Failure, RecordingServer

QUICK = RetryPolicy(attempts=4, base_seconds=0.001, cap_seconds=0.002)


def some_events(count: int) -> list[NewEvent]:
    return [event_of("purchase", f"user-{number}", value=Decimal("1.5")) for number in range(count)]


@pytest.mark.parametrize("failures", [[503], [429, 503], [500, 502], [0], [0, 503, 0]])
def test_a_request_is_repeated_until_stored_and_stored_once(
    server: RecordingServer, failures: list[int]
) -> None:
    server.failures = [Failure(status) for status in failures]
    with Client(server.url, "token", retry=QUICK) as client:
        receipt = client.send(some_events(3))

    assert receipt.accepted + receipt.duplicates == 3
    assert len(server.stored) == 3
    assert all(request == server.requests[0] for request in server.requests)
    assert len(server.requests) == len(failures) + 1


def test_a_refusal_is_raised_with_its_code_and_not_repeated(server: RecordingServer) -> None:
    body = b'{"title": "Too large", "code": "too_many_items", "field": "body"}'
    server.failures = [Failure(413, body=body)]
    with Client(server.url, "token", retry=QUICK) as client, pytest.raises(ValidationError) as caught:
        client.send(some_events(1))

    assert (caught.value.status, caught.value.code, caught.value.problem.field) == (
        413,
        "too_many_items",
        "body",
    )
    assert len(server.requests) == 1


def test_giving_up_says_so(server: RecordingServer) -> None:
    server.failures = [Failure(503)] * 4
    with Client(server.url, "token", retry=QUICK) as client, pytest.raises(UnavailableError):
        client.send(some_events(1))

    assert len(server.requests) == 4


def test_nobody_listening_is_unavailable() -> None:
    with Client("http://127.0.0.1:9", "token", retry=QUICK) as client, pytest.raises(UnavailableError):
        client.send(some_events(1))


def test_tracked_events_travel_together_in_order_and_are_flushed_on_close(server: RecordingServer) -> None:
    with Client(server.url, "token", batch=BatchOptions(items=10, linger_seconds=5)) as client:
        ids = [str(client.track("click", "ann", value=number)) for number in range(25)]

    assert [len(request) for request in server.requests] == [10, 10, 5]
    assert list(server.stored) == ids
    assert client.counts.accepted == 25


def test_a_batch_stays_below_its_bytes(server: RecordingServer) -> None:
    options = BatchOptions(bytes=1_000, linger_seconds=5)
    with Client(server.url, "token", batch=options) as client:
        for _ in range(20):
            client.track("click", "ann", properties={"text": "x" * 150})

    assert len(server.stored) == 20
    assert all(1 < len(request) < 4 for request in server.requests[:-1])


def test_a_full_queue_blocks_then_raises_and_loses_nothing_it_took(server: RecordingServer) -> None:
    server.gate.clear()
    client = Client(server.url, "token", batch=BatchOptions(items=1, queue_items=2, linger_seconds=0))
    taken = []

    def fill() -> None:
        for _ in range(10):
            taken.append(str(client.track("click", "ann", wait_seconds=0.01)))  # noqa: PERF401

    with pytest.raises(QueueFullError):
        fill()
    server.gate.set()
    client.close()

    assert 2 <= len(taken) < 10
    assert list(server.stored) == taken


def test_rejected_and_lost_events_are_told(server: RecordingServer) -> None:
    rejected, lost = [], []
    client = Client(
        server.url,
        "token",
        retry=QUICK,
        batch=BatchOptions(linger_seconds=0, attempts=2),
        on_rejected=rejected.append,
        on_lost=lambda events, error: lost.append((len(events), type(error))),
    )
    client.track("bad", "ann")
    assert client.flush(10)
    server.failures = [Failure(503)] * 2
    client.track("good", "ann")
    assert client.flush(10)
    client.close()

    assert [item.field for item in rejected] == ["event_type"]
    assert lost == [(1, UnavailableError)]
    assert (client.counts.rejected, client.counts.lost) == (1, 1)


def test_a_closed_client_refuses(server: RecordingServer) -> None:
    client = Client(server.url, "token")
    client.close()
    client.close()

    with pytest.raises(ClosedError):
        client.track("click", "ann")
    with pytest.raises(ClientError):
        client.send(some_events(1))


def test_events_are_flushed_when_the_program_ends(server: RecordingServer) -> None:
    program = (
        "import sys; from neonblue.client import Client, BatchOptions\n"
        "client = Client(sys.argv[1], 'token', batch=BatchOptions(linger_seconds=60))\n"
        "client.track('click', 'ann')"
    )
    subprocess.run([sys.executable, "-c", program, server.url], check=True, timeout=60)

    assert len(server.stored) == 1


def test_the_asyncio_client_repeats_batches_and_flushes(server: RecordingServer) -> None:
    server.failures = [Failure(503), Failure(0)]

    async def run() -> AsyncClient:
        options = BatchOptions(items=10, linger_seconds=5)
        async with AsyncClient(server.url, "token", retry=QUICK, batch=options) as client:
            for _ in range(25):
                await client.track("click", "ann")
            await client.flush()
            assert len(server.stored) == 25
            await client.track("click", "ann")
        return client

    client = asyncio.run(run())

    assert len(server.stored) == 26
    assert client.counts.accepted + client.counts.duplicates == 26
    with pytest.raises(ClosedError):
        asyncio.run(client.track("click", "ann"))


def test_the_asyncio_queue_is_bounded(server: RecordingServer) -> None:
    server.gate.clear()

    taken = []

    async def fill(client: AsyncClient) -> None:
        for _ in range(10):
            taken.append(await client.track("click", "ann", wait_seconds=0.05))  # noqa: PERF401

    async def run() -> None:
        options = BatchOptions(items=1, queue_items=2, linger_seconds=0)
        async with AsyncClient(server.url, "token", batch=options) as client:
            with pytest.raises(QueueFullError):
                await fill(client)
            server.gate.set()

    asyncio.run(run())

    assert 2 <= len(taken) < 10
    assert list(server.stored) == [str(event_id) for event_id in taken]


@pytest.mark.parametrize(
    ("value", "kept"),
    [(0.1 + 0.2, "0.300000"), (7, "7"), ("12.34", "12.34"), (Decimal("1E+2"), "100"), (1e-9, "0.000000")],
)
def test_values_become_plain_decimals(value: object, kept: str) -> None:
    assert str(event_of("purchase", "ann", value=value).value) == kept  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [math.nan, math.inf, "Infinity"])
def test_values_that_are_no_numbers_are_refused_where_they_are_made(value: object) -> None:
    with pytest.raises(ValueError, match="value: must be a finite number"):
        event_of("purchase", "ann", value=value)  # type: ignore[arg-type]


def test_threads_that_make_the_first_call_at_once_share_their_connections(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[httpx.Client] = []
    threads = 8
    together = threading.Barrier(threads)

    class Slow(httpx.Client):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            made.append(self)
            time.sleep(0.05)

    monkeypatch.setattr(httpx, "Client", Slow)
    with Client(server.url, "token", retry=QUICK) as client, ThreadPoolExecutor(threads) as pool:

        def send() -> int:
            together.wait()
            return client.send(some_events(1)).accepted

        assert sum(future.result() for future in [pool.submit(send) for _ in range(threads)]) == threads

    assert len(made) == 1
    assert made[0].is_closed
