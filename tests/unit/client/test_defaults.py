"""What a page gets while the API is away, slow, or refuses."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from neonblue.client import (
    AsyncClient,
    BatchOptions,
    Client,
    ClosedError,
    NotFoundError,
    RetryPolicy,
    UnavailableError,
)

from .conftest import Failure, RecordingServer, assignment

AWAY = "http://127.0.0.1:9"
PATIENT = RetryPolicy(attempts=1_000, base_seconds=0.01, cap_seconds=0.05)
MISSING = b'{"title": "Unknown", "code": "unknown_experiment"}'


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_an_assignment_gives_up_within_its_time(silent: str) -> None:
    for url in (AWAY, silent):
        with Client(url, "token", retry=PATIENT, assign_seconds=0.05) as client:
            before = time.monotonic()
            with pytest.raises(UnavailableError):
                client.assign("checkout", "ada")
            with pytest.raises(UnavailableError):
                client.assign_all("ada")
            with pytest.raises(UnavailableError):
                client.variant("checkout", "ada")
            assert time.monotonic() - before < 10  # without the bound: minutes


def test_the_default_is_returned_and_counted(silent: str) -> None:
    for url in (AWAY, silent):
        with Client(url, "token", retry=PATIENT, assign_seconds=0.05) as client:
            found = client.assign("checkout", "ada", default="control")
            local = client.variant("checkout", "ada", default="control")

        assert (found.variant_key, found.reason, found.experiment) == ("control", "default", "checkout")
        assert (local.variant_key, local.reason, local.exposable) == ("control", "default", False)
        assert client.counts.defaulted == 2


def test_a_refusal_becomes_the_default_only_where_there_is_one(server: RecordingServer) -> None:
    with Client(server.url, "token") as client:
        server.failures = [Failure(404, body=MISSING)]
        assert client.assign("nope", "ada", default="control").variant_key == "control"
        server.failures = [Failure(404, body=MISSING)]
        with pytest.raises(NotFoundError):
            client.assign("nope", "ada")
    with pytest.raises(ClosedError):
        client.assign("nope", "ada", default="control")


def test_an_answer_is_not_the_default(server: RecordingServer) -> None:
    server.answers["/v1/assignments"] = assignment(reason="not_targeted")
    with Client(server.url, "token") as client:
        found = client.assign("checkout", "ada", default="control")

    assert (found.variant_key, found.reason, client.counts.defaulted) == (None, "not_targeted", 0)


def test_only_the_first_evaluation_waits_for_a_configuration(silent: str) -> None:
    with Client(silent, "token", assign_seconds=0.2) as client:
        client.variant("checkout", "ada", default="control")
        before = time.monotonic()
        for _ in range(1_000):
            client.variant("checkout", "ada", default="control")
        assert time.monotonic() - before < 20  # each waiting as the first: 200 s


def test_a_configuration_that_comes_late_is_used(server: RecordingServer) -> None:
    with Client(server.url, "token", assign_seconds=0.05, refresh_seconds=0.01) as client:
        assert client.variant("unknown", "ada", default="control").reason == "default"
        server.configuration = {"schema_version": 1, "revision": "1", "experiments": []}
        deadline = time.monotonic() + 10
        while client.variant("unknown", "ada", default="control").reason == "default":
            assert time.monotonic() < deadline

        assert client.variant("unknown", "ada").reason == "not_running"


def test_the_client_of_asyncio_does_the_same(silent: str) -> None:
    async def run(url: str) -> None:
        async with AsyncClient(url, "token", retry=PATIENT, assign_seconds=0.05) as client:
            found = await client.assign("checkout", "ada", default="control")
            local = await client.variant("checkout", "ada", default="control")
            with pytest.raises(UnavailableError):
                await client.assign("checkout", "ada")
            with pytest.raises(UnavailableError):
                await client.variant("checkout", "ada")
        assert (
            (found.variant_key, found.reason) == (local.variant_key, local.reason) == ("control", "default")
        )
        assert client.counts.defaulted == 2

    for url in (AWAY, silent):
        asyncio.run(run(url))


def test_a_full_queue_costs_an_exposure_but_never_the_answer(server: RecordingServer) -> None:
    server.gate.clear()
    server.answers["/v1/assignments"] = assignment(variant_key="b", version=1, durable=False)
    with Client(server.url, "token", batch=BatchOptions(items=1, queue_items=2, linger_seconds=0)) as client:
        found = [client.assign("checkout", f"u{number}").variant_key for number in range(10)]
        server.gate.set()

    assert found == ["b"] * 10
    assert client.counts.lost + client.counts.accepted == 10
    assert client.counts.lost >= 1
