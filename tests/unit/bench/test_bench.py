"""The load generator against a small server on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.bench.bodies import EventBodies
from neonblue.bench.http import Target
from neonblue.bench.load import Measured, Plan, run
from neonblue.contract.identifiers import canonical_uuid, uuid7_milliseconds

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Handler = Callable[[bytes], Awaitable[bytes | None]]


async def serve(answer: Handler, use: Callable[[Target], Awaitable[Any]]) -> Any:
    """Run `use` against a server that answers each request's body; None closes the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            reply = await answer(await reader.readexactly(length))
            if reply is None:
                break
            writer.write(reply[:20])  # in two pieces, as networks do
            await writer.drain()
            writer.write(reply[20:])
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        return await use(Target("127.0.0.1", server.sockets[0].getsockname()[1], "token"))
    finally:
        server.close()


def test_every_request_is_answered_and_counted() -> None:
    seen: list[bytes] = []

    async def answer(body: bytes) -> bytes:
        seen.append(body)
        return OK

    async def use(target: Target) -> Measured:
        plan = Plan(seconds=0.2, connections=3, rate=100)
        return await run(target, plan, lambda: target.post("/x", b"[1]"), lambda _: None)

    measured = asyncio.run(serve(answer, use))

    assert len(seen) == len(measured.latencies) == 20
    assert measured.statuses == {200: 20}


def test_a_stall_counts_for_every_request_that_was_due_in_it() -> None:
    stalled = asyncio.Event()

    async def answer(body: bytes) -> bytes:
        if not stalled.is_set():
            stalled.set()
            await asyncio.sleep(0.3)
        return OK

    async def use(target: Target) -> Measured:
        plan = Plan(seconds=0.3, connections=1, rate=100)
        return await run(target, plan, lambda: target.post("/x", b"{}"), lambda _: None)

    measured = asyncio.run(serve(answer, use))

    # One connection was stalled for 0.3 s: the requests due in the meantime waited 0.15 s on average.
    assert len(measured.latencies) == 30
    assert measured.quantile(0.5) > 0.1


def test_a_broken_connection_is_counted_and_replaced() -> None:
    turn = iter(range(1_000))

    async def answer(body: bytes) -> bytes | None:
        return None if next(turn) == 3 else OK

    async def use(target: Target) -> Measured:
        plan = Plan(seconds=0.2, connections=1, rate=50)
        return await run(target, plan, lambda: target.post("/x", b"{}"), lambda _: None)

    measured = asyncio.run(serve(answer, use))

    assert (measured.broken, len(measured.latencies)) == (1, 9)


@given(st.lists(st.floats(0, 10), min_size=1), st.floats(0, 1))
def test_quantiles_are_measured_values_in_order(latencies: list[float], share: float) -> None:
    measured = Measured(latencies)

    assert measured.quantile(share) in latencies
    assert measured.quantile(0) <= measured.quantile(share) <= measured.quantile(1)


@pytest.mark.parametrize("batch", [1, 100])
def test_bodies_are_events_as_the_contract_has_them(batch: int) -> None:
    bodies = EventBodies(batch, duplicates=0)
    decoded = [msgspec.json.decode(bodies.body()) for _ in range(5)]
    events = decoded if batch == 1 else [event for body in decoded for event in body]

    assert len(events) == bodies.events == 5 * batch
    assert len({event["id"] for event in events}) == len(events)
    for event in events:
        assert canonical_uuid(event["id"]) == event["id"]
        assert uuid7_milliseconds(event["id"]) is not None


def test_the_asked_share_is_repeated_and_the_rest_is_new() -> None:
    bodies = EventBodies(100, duplicates=0.1)
    events = [event["id"] for _ in range(200) for event in msgspec.json.decode(bodies.body())]

    repeated = len(events) - len(set(events))
    assert 0.08 < repeated / len(events) < 0.12


@pytest.mark.parametrize(("batch", "duplicates"), [(0, 0), (1_001, 0), (1, 1.0), (1, -0.1)])
def test_impossible_loads_are_refused(batch: int, duplicates: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        EventBodies(batch, duplicates)
