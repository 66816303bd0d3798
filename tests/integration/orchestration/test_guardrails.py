"""The watch over guardrails: its sums are the models', and a breach does what the guardrail says, once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from dagster import DagsterInstance, SkipReason, build_sensor_context

from orchestration.alerts.delivery import Alerts
from orchestration.defs.guardrails.repository import read_sums, read_watermark
from orchestration.defs.guardrails.sensors import guardrails
from orchestration.resources import Api, ClickHouse
from tests.integration.colliding import HIGHEST, LOWEST, insert_erased
from tests.integration.orchestration.conftest import Analysis, Calls
from tests.integration.orchestration.guarded import (
    DAY,
    HARMED,
    HARMLESS,
    METRICS,
    NOW,
    OPEN_AT,
    PAUSES,
    POPULATIONS,
    START,
    Scene,
    course,
    decoded,
    entering,
    one,
)
from tests.integration.orchestration.live_models import build, count_up_to, refresh
from tests.integration.orchestration.scenario import metric, text


@pytest.fixture(scope="module")
def scene(server: Analysis) -> Iterator[Scene]:
    """What is closed is built; what is open came after that. Every experiment of this file is there."""
    patch = pytest.MonkeyPatch()
    server.lead_here(patch)
    server.empty()
    made = Scene()
    for number, population in POPULATIONS.items():
        server.send("experiment", *course(number, f"sums-{number}", *METRICS, population=population))
    end = text(NOW)
    erasure = {"schema_version": 1, "unit_type": "user", "erased_at": end, "received_at": end}
    server.send("user", *({**erasure, "user_id": user} for user in made.erased))
    # Namesakes by the 64-bit key: theirs is nobody else's erasure.
    insert_erased(server.client, "user-3", {LOWEST: START - timedelta(hours=1)})
    for user in ("user-6", "user-7", "user-61"):
        insert_erased(server.client, user, {HIGHEST: NOW})
    link = {"schema_version": 1, "unit_type": "user", "linked_at": text(START), "received_at": text(START)}
    pairs = made.persons.items()
    server.send("user_link", *({**link, "anonymous_id": a, "user_id": person} for a, person in pairs))
    assignments, events = list(made.assignments), list(made.events)
    # A replay: these come twice.
    events += events[:50]
    for number, rates, snapshots in EXPERIMENTS:
        given, sent = entering(number, rates, START + timedelta(hours=1))
        assignments += given
        events += sent
        server.send("experiment", *snapshots)
    closed = [row for row in assignments if row["assigned_at"] < text(OPEN_AT)]
    happened = [row for row in events if row["timestamp"] < text(OPEN_AT)]
    send(server, closed, happened)
    build(server, OPEN_AT)
    send(
        server,
        [row for row in assignments if row["assigned_at"] >= text(OPEN_AT)],
        [row for row in events if row["timestamp"] >= text(OPEN_AT)],
    )
    count_up_to(server, _newest(events))
    yield made
    server.empty()
    patch.undo()


def send(server: Analysis, assignments: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
    server.send("assignment_batch", assignments)
    server.send("event_batch", events)


@pytest.mark.parametrize("number", POPULATIONS)
def test_sums_are_those_of_each_finished_units_events(server: Analysis, scene: Scene, number: int) -> None:
    """Units in two arms, erased ones, those within their window or in a pause are left out; copies and linked ids count
    once, under the version of the first assignment. Whole hours and single units, closed and open ones add up."""
    configurations = {
        snapshot["version"]: decoded(snapshot)
        for snapshot in course(number, f"sums-{number}", *METRICS, population=POPULATIONS[number])
    }
    latest = read_watermark(server.client)
    assert latest is not None
    assert latest > NOW - timedelta(hours=3)
    later = (
        timedelta(hours=21),
        timedelta(hours=45, minutes=30),
        timedelta(hours=54),
        timedelta(hours=57, seconds=7),
    )
    cut = 0
    for watermark in (latest, *(START + after for after in later)):
        for measured in configurations[1].metrics:
            found = {
                (row.variant_key, row.version): (
                    row.missing,
                    row.n,
                    row.sum_value,
                    row.sum_squares,
                    row.denominator,
                )
                for row in read_sums(server.client, [(configurations, [measured])], watermark)[0]
            }
            expected, cut_short = _sums(number, measured, scene, watermark)
            cut += cut_short
            assert {place: row[:4] for place, row in found.items()} == {
                place: tuple(row[:4]) for place, row in expected.items()
            }, (measured.key, watermark)
            if watermark == latest:
                assert any(row[0] for row in expected.values()) == (measured.missing == "exclude")
            for place, row in expected.items():
                products = found[place][4]
                assert (products is None) == (measured.denominator is None)
                if products is not None:
                    assert [products.sum, products.squares, products.products] == row[4:]
    assert cut > 100


def _sums(
    number: int, measured: Any, scene: Scene, watermark: datetime
) -> tuple[dict[tuple[str, int], list[Any]], int]:
    """The same sums in plain Python, by arm and version, those without a value first; how many windows were cut."""
    assignments, events = scene.by_unit()
    arms, own_events = defaultdict(list), defaultdict(list)
    for row in assignments:
        if row["experiment_id"] == number:
            arms[row["user_id"]].append(row)
    for row in events:
        own_events[row["user_id"]].append(row)
    sums: dict[tuple[str, int], list[Any]] = {}
    cut_short = 0
    window = timedelta(seconds=measured.window_seconds)
    for user, rows in arms.items():
        own = own_events[user]
        met = [
            _time(row) for row in own if row["event_type"] == "exposure" and row["experiment_id"] == number
        ]
        if POPULATIONS[number] == "assigned":
            met = [_moment(row["assigned_at"]) for row in rows]
        if len({row["variant_key"] for row in rows}) > 1 or user in scene.erased or not met:
            continue
        first = min(met)
        if first + window > watermark:
            continue
        if any(first < pause < first + window for pause in PAUSES):
            cut_short += 1
            continue
        entered = min(
            rows, key=lambda row: (_moment(row["assigned_at"]), row["sent_as"] == user, row["sent_as"])
        )
        place = (entered["variant_key"], entered["version"])
        before = sums.get(place, [0, 0, *[Decimal(0)] * 5])
        if measured.missing == "exclude" and not _counted(number, measured, own, first, measured):
            sums[place] = [before[0] + 1, *before[1:]]
            continue
        value = _total(number, measured, own, first, measured)
        if measured.cap is not None:
            value = min(value, Decimal(measured.cap))
        below = measured.denominator
        divisor = _total(number, measured, own, first, below) if below else Decimal(0)
        parts = (0, 1, value, value * value, divisor, divisor * divisor, value * divisor)
        sums[place] = [a + b for a, b in zip(before, parts, strict=True)]
    return sums, cut_short


def _counted(
    number: int, measured: Any, own: list[dict[str, Any]], first: datetime, part: Any
) -> list[dict[str, Any]]:
    """The unit's events within the window that the metric, or its denominator, is about."""
    return [
        row
        for row in own
        if row["event_type"] == part.event_type
        and row["experiment_id"] in (number, None)
        and timedelta(seconds=measured.window_start_seconds)
        <= _time(row) - first
        < timedelta(seconds=measured.window_seconds)
        and all(
            str(row["properties"][name]) == wanted for name, wanted in (part.property_filter or {}).items()
        )
    ]


def _total(number: int, measured: Any, own: list[dict[str, Any]], first: datetime, part: Any) -> Decimal:
    counted = _counted(number, measured, own, first, part)
    if part.aggregation == "any":
        return Decimal(bool(counted))
    if part.aggregation == "count":
        return Decimal(len(counted))
    return sum((Decimal(row["value"]) for row in counted), Decimal(0))


def _time(row: dict[str, Any]) -> datetime:
    return _moment(row["timestamp"])


def _moment(value: str) -> datetime:
    return datetime.fromisoformat(value)


def _newest(events: list[dict[str, Any]]) -> datetime:
    return max(_moment(row["received_at"]) for row in events)


CUT = timedelta(hours=1, minutes=2)
"""After the start: within the windows of all units but those that err at once."""
WATCHED = metric(key="crashes", margin=None) | {"place": 0, "since": 1, "active": True}
EXPERIMENTS: list[tuple[int, dict[str, float], list[dict[str, Any]]]] = [
    (11, HARMED, [one(11, "pausing", metric(window_seconds=600))]),
    (12, HARMED, [one(12, "for-a-day", metric(window_seconds=DAY))]),
    (13, HARMED, [one(13, "telling", metric(on_breach="alert"))]),
    (
        14,
        HARMED,
        [one(14, "rolling-back", metric(key="calm", event_type="calm"), metric(on_breach="roll_back"))],
    ),
    (15, HARMED, [one(15, "by-the-catalogue", watched=[WATCHED])]),
    (16, HARMED, [one(16, "stopped-meanwhile", metric())]),
    (21, HARMLESS, [one(21, "harmless", metric(), watched=[WATCHED])]),
    (22, HARMED, [one(22, "paused", metric(), status="paused")]),
    (23, HARMED, [one(23, "for-ever", metric(window_seconds=None))]),
    (24, HARMED, [one(24, "no-longer", watched=[WATCHED | {"active": False}])]),
    (25, HARMED, [one(25, "since-then", watched=[WATCHED | {"place": 1, "since": 2}])]),
    (
        26,
        HARMED,
        [
            one(26, "cut", metric(), version=version, status=status, received_at=text(START + after))
            for version, (status, after) in enumerate(
                (("running", timedelta()), ("paused", CUT), ("running", CUT + timedelta(minutes=1))), start=1
            )
        ],
    ),
]


def tick(instance: DagsterInstance, cursor: str | None = None) -> tuple[str, str | None]:
    """What one look said, and its cursor."""
    context = build_sensor_context(
        instance=instance,
        cursor=cursor,
        resources={"clickhouse": ClickHouse(), "api": Api(), "alerts": Alerts()},
    )
    said = guardrails(context)
    assert isinstance(said, SkipReason)
    return said.skip_message or "", context.cursor


def acted(server: Analysis) -> set[tuple[str, str, str, int]]:
    """What was done: experiment, metric, action and the configuration's version."""
    query = "SELECT experiment_key, metric_key, action, configuration_version FROM guardrail_breaches"
    return {tuple(row) for row in server.client.query(query).result_rows}


ALL_STEPS = {
    ("pausing", "pause"),
    ("for-a-day", "pause"),
    ("rolling-back", "roll_back"),
    ("by-the-catalogue", "pause"),
    ("stopped-meanwhile", "pause"),
}


def test_each_breach_is_answered_as_its_guardrail_says_once_and_again_only_by_new_evidence(
    server: Analysis, scene: Scene, api_calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr("orchestration.alerts.delivery.deliver", lambda _, alert: told.append(alert))
    api_calls.answers["/v1/experiments/stopped-meanwhile/pause"] = 409
    with DagsterInstance.ephemeral() as instance:
        said, cursor = tick(instance)
        assert tick(instance, cursor) == ("no event has come since the last look", cursor)

    asked = {tuple(path.split("/")[3:]) for path, _ in api_calls.received}
    assert asked == ALL_STEPS
    assert len(api_calls.received) == len(ALL_STEPS)
    first = json.loads(api_calls.received[0][1])["reason"]
    assert first.startswith("Guardrail errors is breached in treatment: 0.1")
    assert set(said.split(", ")) == {
        f"{key}: {action}" for key, action in ALL_STEPS | {("telling", "alert")}
    } - {"stopped-meanwhile: pause"}
    done = {
        ("pausing", "errors", "pause", 1),
        ("for-a-day", "errors", "pause", 1),
        ("telling", "errors", "alert", 1),
        ("rolling-back", "errors", "roll_back", 1),
        ("by-the-catalogue", "crashes", "pause", 1),
    }
    assert acted(server) == done
    assert {alert.title for alert in told} == {
        "Experiment paused: pausing",
        "Experiment paused: for-a-day",
        "Experiment paused: by-the-catalogue",
        "Guardrail breached: telling",
        "Experiment rolled back: rolling-back",
    }
    undoing = next(alert.body for alert in told if "rolling-back" in alert.title)
    assert "/v1/experiments/rolling-back/resume" in undoing

    # Started anew, with no memory but the table: nothing is done or told twice.
    told.clear()
    api_calls.received.clear()
    with DagsterInstance.ephemeral() as instance:
        assert tick(instance)[0] == "every watched guardrail holds"
    assert [path for path, _ in api_calls.received] == ["/v1/experiments/stopped-meanwhile/pause"]
    assert told == []

    # People went on: what was seen until then is accepted, what units do that enter afterwards is not.
    at = NOW - timedelta(hours=2)
    for version, status in ((2, "paused"), (3, "running")):
        for number, key in ((11, "pausing"), (13, "telling")):
            snapshot = one(number, key, metric(on_breach="alert" if number == 13 else None))
            server.send(
                "experiment", snapshot | {"version": version, "status": status, "received_at": text(at)}
            )
    refresh(server)
    with DagsterInstance.ephemeral() as instance:
        assert tick(instance)[0] == "every watched guardrail holds"
    assert told == []

    send(server, *entering(11, HARMED, at, version=3, named="-again"))
    send(server, *entering(13, HARMLESS, at, version=3, named="-again"))
    refresh(server)
    with DagsterInstance.ephemeral() as instance:
        assert tick(instance)[0] == "pausing: pause"
    assert acted(server) == done | {("pausing", "errors", "pause", 3)}


def test_a_first_build_that_found_nothing_is_one_and_what_comes_after_it_is_watched(
    analysis: Analysis, api_calls: Calls
) -> None:
    build(analysis, OPEN_AT)
    analysis.send("experiment", one(11, "pausing", metric()))
    refresh(analysis)
    assert read_watermark(analysis.client) is None
    events: list[dict[str, Any]] = []
    for hours in (1, 2):  # the windows of the first are over when the second come
        given, happened = entering(11, HARMED, OPEN_AT + timedelta(hours=hours), named=f"-{hours}")
        send(analysis, given, happened)
        events += happened
    count_up_to(analysis, _newest(events))
    with DagsterInstance.ephemeral() as instance:
        assert tick(instance)[0] == "pausing: pause"
    assert len(api_calls.received) == 1


def test_what_the_api_did_without_an_answer_is_kept_and_told_once_it_answers(
    analysis: Analysis, api_calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr("orchestration.alerts.delivery.deliver", lambda _, alert: told.append(alert))
    analysis.send("experiment", one(11, "pausing", metric()))
    for hours in (1, 2):
        send(analysis, *entering(11, HARMED, START + timedelta(hours=hours), named=f"-{hours}"))
    build(analysis, OPEN_AT)
    refresh(analysis)
    api_calls.answers["/v1/experiments/pausing/pause"] = 503
    with DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            with pytest.raises(RuntimeError, match="not watched: pausing"):
                tick(instance)
        assert (acted(analysis), told) == (set(), [])

        # It was paused all the same, and so is watched no more.
        paused = one(11, "pausing", metric()) | {"version": 2, "status": "paused", "received_at": text(NOW)}
        analysis.send("experiment", paused)
        api_calls.answers.clear()
        for _ in range(2):
            assert tick(instance)[0] == "no running experiment has a metric that is watched"

    assert acted(analysis) == {("pausing", "errors", "pause", 1)}
    assert [alert.title for alert in told] == ["Experiment paused: pausing"]
    assert len(api_calls.keys) == 3
    assert len(set(api_calls.keys)) == 1


def test_before_the_first_build_the_watch_says_what_it_waits_for(
    analysis: Analysis, api_calls: Calls
) -> None:
    with DagsterInstance.ephemeral() as instance:
        assert tick(instance)[0] == "no running experiment has a metric that is watched"
        analysis.send("experiment", one(11, "pausing", metric()))
        said, cursor = tick(instance)

    assert said == "waits for events, and for the first build of the models (neonblue build)"
    assert (cursor, api_calls.received) == (None, [])
