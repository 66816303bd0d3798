"""Evaluation in the client: the downloaded configuration decides, and each exposure carries what it decided."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import msgspec
import pytest

from neonblue.bucketing import Unit, evaluate, targeting
from neonblue.bucketing.document import ExperimentEntry, forced_digits
from neonblue.client import AsyncClient, BatchOptions, Client, RetryPolicy, UnavailableError
from tests.waiting import until

from .conftest import Failure, RecordingServer, assignment

QUICK = RetryPolicy(attempts=2, base_seconds=0.001, cap_seconds=0.002)
BRIEF = BatchOptions(linger_seconds=0)
DEADLINE_SECONDS = 30.0


def entry(**fields: Any) -> dict[str, Any]:
    return {
        "experiment_id": 1,
        "key": "checkout",
        "unit_type": "account",
        "version": 3,
        "salt": "s",
        "allocation": 5_000,
        "variants": [{"key": "a", "weight": 1}, {"key": "b", "weight": 1, "payload": {"value": 7}}],
    } | fields


def document(*entries: dict[str, Any], revision: str = "r1") -> dict[str, object]:
    return {"schema_version": 1, "revision": revision, "experiments": list(entries)}


def test_the_client_decides_as_the_api_does_and_tells_each_unit_once(server: RecordingServer) -> None:
    server.configuration = document(entry(targeting="attributes.age >= 18"))
    configuration = msgspec.convert(entry(targeting="attributes.age >= 18"), ExperimentEntry).configuration()
    people = [(f"u{n}", {"age": n}) for n in range(60)]
    expected = {user: evaluate(configuration, Unit(user, attributes)) for user, attributes in people}
    with Client(server.url, "token", batch=BRIEF) as client:
        for _ in range(2):
            for user, attributes in people:
                found = client.variant("checkout", user, attributes)
                assert (found.variant_key, found.reason) == (
                    expected[user].variant_key,
                    expected[user].reason,
                )
                assert found.payload == ({"value": 7} if found.variant_key == "b" else None)
    told = {event["user_id"]: event for event in server.stored.values()}
    assert told.keys() == {user for user, found in expected.items() if found.variant_key}
    assert len(server.stored) == len(told)
    for user, event in told.items():
        assert event["variant_key"] == expected[user].variant_key  # type: ignore[index]
        assert (event["configuration_version"], event["unit_type"], event["experiment"]) == (
            3,
            "account",
            "checkout",
        )
    assert server.looks == [200]


def test_a_newer_configuration_is_taken_over_and_an_old_one_is_not_sent_again(
    server: RecordingServer,
) -> None:
    server.configuration = document(entry(allocation=0))
    with Client(server.url, "token", refresh_seconds=0.01) as client:
        assert client.variant("checkout", "u").reason == "not_in_allocation"
        until(lambda: server.looks.count(304) >= 2, "it has looked twice")
        server.configuration = document(entry(allocation=10_000), revision="r2")
        until(
            lambda: client.variant("checkout", "u", expose=False).variant_key is not None,
            "it has a configuration",
        )
    assert server.looks.count(200) == 2


def test_an_api_that_is_away_leaves_the_configuration_at_hand(server: RecordingServer) -> None:
    with Client(server.url, "token", retry=QUICK, refresh_seconds=0.01) as client:
        with pytest.raises(UnavailableError):
            client.variant("checkout", "u")
        server.configuration = document(entry(allocation=10_000))
        until(lambda: 200 in server.looks, "it has looked")
        until(
            lambda: client.variant("checkout", "u", default="?").reason != "default", "it has a configuration"
        )
        before = client.variant("checkout", "u")
        server.configuration = {}
        looked = len(server.looks)
        until(lambda: len(server.looks) > looked + 2, "it looks again")
        assert client.variant("checkout", "u") == before


def test_a_testers_variant_is_no_exposure(server: RecordingServer) -> None:
    server.configuration = document(entry(allocation=0, forced={forced_digits("s", "tester"): "b"}))
    with Client(server.url, "token") as client:
        found = client.variant("checkout", "tester")
    assert (found.variant_key, found.reason) == ("b", "forced")
    assert server.stored == {}


def test_what_does_not_run_gives_no_variant(server: RecordingServer) -> None:
    server.configuration = document()
    with Client(server.url, "token") as client:
        assert client.variant("checkout", "u").reason == "not_running"


def test_an_experiment_that_this_client_can_not_read_harms_no_other(server: RecordingServer) -> None:
    broken = entry(key="broken", targeting="attributes.age.of.wisdom(")
    server.configuration = document(broken, entry(allocation=10_000))
    with Client(server.url, "token") as client:
        assert client.variant("broken", "u").reason == "unreadable"
        assert client.variant("checkout", "u").variant_key is not None


def _forget() -> None:
    """As in a process that has not loaded CEL."""
    targeting._cel.cache_clear()
    targeting._environment.cache_clear()


def test_targeting_that_can_not_be_read_here_says_what_to_install(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    _forget()
    server.configuration = document(
        entry(key="adults", targeting="attributes.age >= 18"), entry(allocation=10_000)
    )
    try:
        with Client(server.url, "token") as client:
            assert client.variant("adults", "u", {"age": 20}).reason == "unreadable"
            assert client.variant("checkout", "u").variant_key is not None
    finally:
        _forget()

    assert "pip install 'neonblue-client[targeting]'" in caplog.text


ANSWER = {"user_id": "u", "experiment_id": 1, "variant_key": "b", "version": 3}


@pytest.mark.parametrize(("durable", "told"), [(True, 0), (False, 1)])
def test_an_assignment_that_was_not_stored_travels_with_the_exposure(
    server: RecordingServer, durable: bool, told: int
) -> None:
    server.answers["/v1/assignments"] = assignment(**ANSWER, durable=durable)
    with Client(server.url, "token") as client:
        client.assign("checkout", "u")
        client.assign("checkout", "u", expose=False)
    carried = [(event["variant_key"], event["configuration_version"]) for event in server.stored.values()]
    assert carried == [("b", 3)] * told


def test_the_asyncio_client_does_the_same(server: RecordingServer) -> None:
    server.configuration = document(entry(allocation=10_000))
    server.answers["/v1/assignments"] = assignment(**ANSWER | {"durable": False, "user_id": "away"})

    async def run() -> None:
        async with AsyncClient(server.url, "token", refresh_seconds=0.01) as client:
            found = await asyncio.gather(*(client.variant("checkout", f"u{n}") for n in range(20)))
            await client.assign("checkout", "away")
            server.configuration = document(revision="r2")
            deadline = time.monotonic() + DEADLINE_SECONDS
            while (await client.variant("checkout", "u")).reason != "not_running":
                assert time.monotonic() < deadline
                await asyncio.sleep(0.005)  # between two looks
            assert {item.variant_key for item in found} == {"a", "b"}

    asyncio.run(run())
    told = {str(event["user_id"]): event["configuration_version"] for event in server.stored.values()}
    assert {f"u{n}" for n in range(20)} | {"away"} <= told.keys()
    assert set(told.values()) == {3}
    assert server.looks.count(200) == 2


def released(share: int) -> dict[str, Any]:
    return {
        "variant_key": "b",
        "share": share,
        "population": "targeted",
        "allocation": 5_000,
        "weights": [{"key": "a", "weight": 1}, {"key": "b", "weight": 1}],
    }


def served(**fields: Any) -> dict[str, Any]:
    return {
        "key": "checkout",
        "unit_type": "account",
        "version": 4,
        "salt": "s",
        "reason": "paused",
        "control": "a",
        "payloads": {"a": {"value": 1}, "b": {"value": 7}},
    } | fields


def test_a_release_of_what_is_not_there_harms_no_other(server: RecordingServer) -> None:
    server.configuration = document(entry(key="runs", allocation=10_000)) | {
        "served": [served(release=released(1) | {"variant_key": "?"})]
    }
    with Client(server.url, "token") as client:
        assert client.variant("checkout", "u").reason == "unreadable"
        assert client.variant("runs", "u").in_experiment


def test_whom_the_experiment_leaves_out_gets_the_control_and_is_not_exposed(server: RecordingServer) -> None:
    server.configuration = document(entry(allocation=0, outside="a"))
    with Client(server.url, "token", batch=BRIEF) as client:
        found = client.variant("checkout", "u")
    assert (found.variant_key, found.reason, found.served_by) == ("a", "not_in_allocation", "control")
    assert (found.in_experiment, found.exposable, server.stored) == (False, False, {})


CLOSED = {"allocation": 10_000, "outside": "a", "closed": "a"}


def test_while_no_new_unit_enters_the_api_is_asked_once_who_is_stored(server: RecordingServer) -> None:
    server.configuration = document(entry(**CLOSED))
    server.answers["/v1/assignments"] = assignment(
        user_id="u",
        experiment_id=1,
        variant_key="b",
        version=2,
        payload={"value": 7},
        assigned_at="2026-03-01T00:00:00Z",
    )
    with Client(server.url, "token", batch=BRIEF) as client:
        for _ in range(3):
            found = client.variant("checkout", "u", {"age": 3})
    assert (found.variant_key, found.payload, found.version, found.reason) == (
        "b",
        {"value": 7},
        2,
        "assigned",
    )
    assert found.exposable
    (told,) = server.stored.values()
    assert (told["variant_key"], told["configuration_version"]) == ("b", 2)
    assert server.asked == [
        {
            "user_id": "u",
            "experiment": "checkout",
            "unit_type": "account",
            "attributes": {"age": 3},
            "expose": False,
        }
    ]


def test_while_no_new_unit_enters_the_api_is_asked_again_when_this_experiment_changes_and_no_other(
    server: RecordingServer,
) -> None:
    other = entry(key="other", allocation=10_000)
    server.configuration = document(entry(**CLOSED), other)
    server.answers["/v1/assignments"] = assignment(user_id="u", experiment_id=1, variant_key="b")

    def taken(revision: str, *entries: dict[str, Any]) -> None:
        server.configuration = document(*entries, revision=revision)
        before = server.looks.count(200)
        until(lambda: server.looks.count(200) > before, "it has read the new one")
        until(lambda: server.looks[-1] == 304, "it has taken it over")

    with Client(server.url, "token", batch=BRIEF, refresh_seconds=0.01) as client:
        client.variant("checkout", "u")
        taken("r2", entry(**CLOSED), other | {"version": 9})
        client.variant("checkout", "u")
        assert len(server.asked) == 1
        taken("r3", entry(**CLOSED) | {"version": 8}, other)
        client.variant("checkout", "u")
        client.variant("checkout", "u")
        assert len(server.asked) == 2


def test_while_no_new_unit_enters_who_is_not_stored_gets_the_control(server: RecordingServer) -> None:
    server.configuration = document(entry(**CLOSED))
    server.answers["/v1/assignments"] = assignment(
        user_id="u", experiment_id=1, variant_key="a", version=3, reason="enrolment_closed", served_by="control",
        in_experiment=False,
    )  # fmt: skip
    with Client(server.url, "token", batch=BRIEF) as client:
        found = client.variant("checkout", "u")
    assert (found.variant_key, found.reason, found.exposable) == ("a", "enrolment_closed", False)
    assert server.stored == {}


def test_while_no_new_unit_enters_an_api_that_is_away_is_waited_for_once(server: RecordingServer) -> None:
    server.configuration = document(entry(**CLOSED))
    server.failures = [Failure(503)] * 200
    with Client(server.url, "token", retry=QUICK, batch=BRIEF) as client:
        found = [client.variant("checkout", f"u{n}") for n in range(50)]
        assert {(one.variant_key, one.reason, one.exposable) for one in found} == {
            ("a", "enrolment_closed", False)
        }
        assert 1 <= client.counts.defaulted < 50
    assert server.stored == {}


def test_while_no_new_unit_enters_a_tester_is_known_here(server: RecordingServer) -> None:
    server.configuration = document(entry(**CLOSED, forced={forced_digits("s", "u"): "b"}))
    with Client(server.url, "token", batch=BRIEF) as client:
        assert client.variant("checkout", "u").reason == "forced"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("a", "paused", {"value": 1}, "control")),
        ({"reason": "concluded"}, ("a", "concluded", {"value": 1}, "control")),
        ({"reason": "concluded", "release": released(10_000)}, ("b", "released", {"value": 7}, "release")),
        ({"reason": "concluded", "release": released(0)}, ("a", "not_in_release", {"value": 1}, "control")),
        (
            {"reason": "concluded", "release": released(10_000), "targeting": "attributes.age > 3"},
            ("a", "not_targeted", {"value": 1}, "control"),
        ),
        ({"forced": {forced_digits("s", "u"): "b"}}, ("b", "forced", {"value": 7}, "experiment")),
    ],
)
def test_what_is_served_while_nothing_runs_is_no_exposure(
    server: RecordingServer, fields: dict[str, Any], expected: tuple[object, ...]
) -> None:
    server.configuration = document() | {"served": [served(**fields)]}
    with Client(server.url, "token", batch=BRIEF) as client:
        found = client.variant("checkout", "u")
    assert (found.variant_key, found.reason, found.payload, found.served_by) == expected
    assert (found.unit_type, found.version, found.exposable) == ("account", 4, False)
    assert server.stored == {}


def test_what_this_client_does_not_know_the_reason_of_harms_no_other(server: RecordingServer) -> None:
    server.configuration = document(entry(key="runs", allocation=10_000)) | {
        "served": [served(reason="of a later version")]
    }
    with Client(server.url, "token") as client:
        assert client.variant("checkout", "u").reason == "unreadable"
        assert client.variant("runs", "u").variant_key is not None
