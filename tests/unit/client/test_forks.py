"""A client on both sides of a fork, in threads and loops that are gone, and at the end of processes."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import threading
from collections.abc import Callable

import pytest

from neonblue.client import AsyncClient, BatchOptions, Client

from .conftest import Failure, RecordingServer

AT_ONCE = BatchOptions(linger_seconds=0)


def in_a_fork(action: Callable[[], object]) -> object:
    """What `action` returns in a forked child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(action()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)


def test_events_of_a_forked_child_are_sent_and_counted_there(server: RecordingServer) -> None:
    with Client(server.url, "token", batch=AT_ONCE) as client:
        client.track("click", "parent")
        assert client.flush(10)

        def act() -> list[object]:
            client.track("click", "child")
            return [client.flush(10), client.counts.accepted]

        assert in_a_fork(act) == [True, 1]
        client.track("click", "parent")

    assert sorted(str(event["user_id"]) for event in server.stored.values()) == ["child", "parent", "parent"]
    assert client.counts.accepted == 2


def test_what_waits_at_a_fork_is_sent_once_by_the_parent_and_told_in_the_child(
    server: RecordingServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.gate.clear()
    with Client(server.url, "token", batch=BatchOptions(items=1, linger_seconds=0)) as client:
        for _ in range(5):
            client.track("click", "parent")

        def act() -> list[object]:
            client.track("click", "child")
            return [line.partition("=")[0] for line in caplog.messages]

        said = in_a_fork(act)
        server.gate.set()

    assert said == ["events_left_to_the_parent events"]
    sent = [str(event["user_id"]) for request in server.requests for event in request]
    assert sent.count("parent") == 5


def test_a_lock_held_at_the_fork_does_not_hang_the_child(server: RecordingServer) -> None:
    with Client(server.url, "token", batch=AT_ONCE) as client:
        held, release = threading.Event(), threading.Event()

        def hold() -> None:
            with client._delivery._lock, client._delivery._queue.mutex, client._refresher._lock:
                held.set()
                release.wait(30)

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait(10)

        def act() -> bool:
            client.track("click", "child")
            return client.flush(10)

        try:
            assert in_a_fork(act) is True
        finally:
            release.set()
            holder.join()


def test_a_child_of_multiprocessing_flushes_at_its_end(server: RecordingServer) -> None:
    with Client(server.url, "token", batch=BatchOptions(linger_seconds=60)) as client:
        child = multiprocessing.get_context("fork").Process(target=client.track, args=("click", "child"))
        child.start()
        child.join(30)

        assert [event["user_id"] for event in server.stored.values()] == ["child"]


def test_a_forked_child_evaluates_by_the_configuration_it_inherited(server: RecordingServer) -> None:
    server.configuration = {"schema_version": 1, "revision": "1", "experiments": []}
    with Client(server.url, "token") as client:
        client.variant("unknown", "u")
        looks = len(server.looks)

        assert in_a_fork(lambda: client.variant("unknown", "u").reason) == "not_running"
        assert len(server.looks) == looks


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_is_made_again(server: RecordingServer) -> None:
    def fail(_: object) -> None:
        raise SystemExit

    with Client(server.url, "token", batch=AT_ONCE, on_rejected=fail) as client:
        client.track("bad", "ann")
        assert client._delivery._thread is not None
        client._delivery._thread.join(10)
        client.track("good", "ann")
        assert client.flush(10)

    assert len(server.stored) == 1


def test_an_error_of_a_callback_or_a_strange_answer_ends_nothing(server: RecordingServer) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the application's")

    with Client(server.url, "token", batch=AT_ONCE, on_rejected=fail, on_lost=fail) as client:
        client.track("bad", "ann")
        assert client.flush(10)
        server.failures = [Failure(200, body=b"<html>a proxy's page</html>")]
        client.track("lost", "ann")
        assert client.flush(10)
        client.track("good", "ann")

    assert (client.counts.rejected, client.counts.lost, client.counts.accepted) == (1, 1, 1)


def test_closing_waits_no_longer_than_told_and_tells_what_was_not_stored(server: RecordingServer) -> None:
    server.failures = [Failure(503)] * 1_000
    lost: list[int] = []
    client = Client(
        server.url,
        "token",
        batch=BatchOptions(items=2, linger_seconds=0, queue_items=7),
        on_lost=lambda events, error: lost.append(len(events)),
    )
    for number in range(8):
        client.track("click", f"u{number}")
    assert client.flush(0.01) is False
    client.close(0.01)

    assert client.counts.lost == sum(lost) == 8


def test_a_client_of_asyncio_goes_on_in_the_next_loop(server: RecordingServer) -> None:
    client = AsyncClient(server.url, "token", batch=BatchOptions(linger_seconds=60))

    async def track() -> None:
        await client.track("click", "ann")

    asyncio.run(track())
    asyncio.run(track())
    asyncio.run(client.close())

    assert len(server.stored) == 2


def test_a_client_of_asyncio_sends_on_both_sides_of_a_fork(server: RecordingServer) -> None:
    client = AsyncClient(server.url, "token", batch=BatchOptions(linger_seconds=60))

    async def track() -> int:
        await client.track("click", "ann")
        await client.flush(10)
        return client.counts.accepted

    assert asyncio.run(track()) == 1
    assert in_a_fork(lambda: asyncio.run(track())) == 1
    assert len(server.stored) == 2


def test_closing_a_client_of_asyncio_tells_what_was_not_stored(server: RecordingServer) -> None:
    server.failures = [Failure(503)] * 1_000

    async def run() -> AsyncClient:
        client = AsyncClient(server.url, "token", batch=BatchOptions(items=2, linger_seconds=0))
        for number in range(8):
            await client.track("click", f"u{number}")
        assert await client.flush(0.01) is False
        await client.close(0.01)
        return client

    assert asyncio.run(run()).counts.lost == 8


@pytest.mark.parametrize("times", [1, 2])
def test_closing_twice_is_closing_once(server: RecordingServer, times: int) -> None:
    client = Client(server.url, "token")
    client.track("click", "ann")
    for _ in range(times):
        client.close()

    assert len(server.stored) == 1
