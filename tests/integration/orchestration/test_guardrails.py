"""The watch over guardrails: its sums are the marts', and a breach pauses the experiment once."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from dagster import DagsterInstance, SkipReason, build_sensor_context

from neonblue.contract.messages import ExperimentMessage
from orchestration.alerts.delivery import Alerts
from orchestration.defs.guardrails.repository import read_sums, read_watermark
from orchestration.defs.guardrails.sensors import guardrails
from orchestration.resources import Api, ClickHouse
from tests.integration.colliding import HIGHEST, LOWEST, insert_erased
from tests.integration.orchestration.conftest import Analysis, Calls
from tests.integration.orchestration.scenario import ARMS, START, event, experiment, launch, metric, text


def decoded(snapshot: dict[str, Any]) -> ExperimentMessage:
    return msgspec.json.decode(json.dumps(snapshot), type=ExperimentMessage)


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


def fill(analysis: Analysis, rates: dict[str, float], snapshot: dict[str, Any], units: int = 800) -> None:
    assignments, events = launch(rates, units)
    late = event(random.Random(2), "nobody", "page_view", START + timedelta(hours=1), experiment_id=None)
    analysis.send("experiment", snapshot)
    analysis.send("assignment_batch", assignments)
    analysis.send("event_batch", [*events, late])


def test_a_breach_pauses_the_experiment_and_is_kept_and_told_once(
    analysis: Analysis, api_calls: Calls
) -> None:
    fill(analysis, {"control": 0.05, "treatment": 0.15}, experiment(metric()))

    with DagsterInstance.ephemeral() as instance:
        said, cursor = tick(instance)
        again, _ = tick(instance, cursor)

    assert said == "paused: checkout"
    assert again == "no event has come since the last look"
    ((path, body),) = api_calls.received
    assert path == "/v1/experiments/checkout/pause"
    assert "Guardrail errors is breached in treatment" in json.loads(body)["reason"]
    ((metric_key, variant, control, treatment),) = analysis.client.query(
        "SELECT metric_key, variant_key, mean_control, mean_variant FROM guardrail_breaches"
    ).result_rows
    assert (metric_key, variant) == ("errors", "treatment")
    assert control < 0.08 < 0.12 < treatment


@pytest.mark.parametrize(
    ("rates", "snapshot"),
    [
        ({"control": 0.05, "treatment": 0.05}, experiment(metric())),
        ({"control": 0.05, "treatment": 0.15}, experiment(metric(), status="paused")),
        ({"control": 0.05, "treatment": 0.15}, experiment(metric(window_seconds=7200))),
    ],
)
def test_without_a_breach_of_a_watched_guardrail_nothing_is_paused(
    analysis: Analysis, api_calls: Calls, rates: dict[str, float], snapshot: dict[str, Any]
) -> None:
    fill(analysis, rates, snapshot)

    with DagsterInstance.ephemeral() as instance:
        tick(instance)

    assert api_calls.received == []


def test_units_whose_window_was_open_at_a_pause_are_no_evidence(analysis: Analysis, api_calls: Calls) -> None:
    """What the harmed arm's units met in the rest of it was something else; those that came after it count anew."""
    fill(analysis, {"control": 0.05, "treatment": 0.15}, versions(metric())[0])
    analysis.send("experiment", *versions(metric())[1:])

    with DagsterInstance.ephemeral() as instance:
        said, _ = tick(instance)

    assert (said, api_calls.received) == ("every watched guardrail holds", [])


def test_an_experiment_that_was_paused_meanwhile_is_left_alone(analysis: Analysis, api_calls: Calls) -> None:
    api_calls.answers["/v1/experiments/checkout/pause"] = 409
    fill(analysis, {"control": 0.05, "treatment": 0.15}, experiment(metric()))

    with DagsterInstance.ephemeral() as instance:
        tick(instance)

    assert analysis.client.query("SELECT count() FROM guardrail_breaches").result_rows == [(0,)]


METRICS = [
    metric(),
    metric(key="count", type="count", aggregation="count", cap="1.5"),
    metric(key="late", type="count", aggregation="count", window_start_seconds=100, window_seconds=300),
    metric(key="seen", type="mean", aggregation="sum", property_filter={"page": "/pay", "build": "7"}),
    metric(
        key="ratio",
        type="ratio",
        aggregation="sum",
        denominator={"event_type": "click", "aggregation": "count", "property_filter": {"page": "/pay"}},
    ),
    metric(key="rating", type="mean", aggregation="sum", property_filter={"page": "/pay"}, missing="exclude"),
    metric(
        key="rating_ratio",
        type="ratio",
        aggregation="sum",
        property_filter={"page": "/pay", "build": "7"},
        denominator={"event_type": "click", "aggregation": "count"},
        missing="exclude",
    ),
]
PAUSED_AT = START + timedelta(seconds=600)
"""Units enter at this very time, and the windows of others end at it: those count."""


def versions(*metrics: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """Snapshots of an experiment that was paused and went on."""
    statuses = (("running", START), ("paused", PAUSED_AT), ("running", PAUSED_AT + timedelta(seconds=60)))
    return [
        experiment(*metrics, status=status, version=number, received_at=text(at), **fields)
        for number, (status, at) in enumerate(statuses, start=1)
    ]


@pytest.mark.parametrize("population", ["exposed", "assigned"])
def test_sums_are_those_of_each_finished_units_events(analysis: Analysis, population: str) -> None:
    """Units in two arms, erased ones, those within their window or in a pause are left out; copies and linked ids count
    once, under the version of the first assignment."""
    chance = random.Random(8)
    snapshots = versions(*METRICS, population=population)
    events: list[dict[str, Any]] = []
    assignments: list[dict[str, Any]] = []
    for number in range(150):
        user = f"user-{number}"
        arms = chance.choices([["control"], ["treatment"], list(ARMS)], [45, 45, 10])[0]
        entered = START + timedelta(seconds=chance.randrange(0, 900, 60))
        assignments += [
            {
                **_assigned(user, arm),
                "version": chance.choice((1, 3)),
                "assigned_at": text(entered),
                "received_at": text(entered),
            }
            for arm in arms
        ]
        for _ in range(chance.randrange(8)):
            kind = chance.choice(("exposure", "error", "error", "click", "click"))
            properties = {"page": chance.choice(("/pay", "/")), "build": chance.choice((7, "7", 8))}
            events.append(
                event(
                    chance,
                    user,
                    kind,
                    START + timedelta(seconds=chance.randrange(0, 1800, 50)),
                    experiment_id=1 if kind == "exposure" else chance.choice((1, 2, None)),
                    value=f"{chance.randrange(1, 9_000_000) / 10**6:.6f}",
                    properties=properties,
                )
            )
    erased = {"user-3", "user-4"}
    analysis.send("experiment", *snapshots)
    analysis.send("assignment_batch", assignments)
    analysis.send("event_batch", events)
    analysis.send("event_batch", events[:50])
    later = text(START + timedelta(hours=2))
    analysis.send(
        "user",
        *(
            {
                "schema_version": 1,
                "unit_type": "user",
                "user_id": user,
                "erased_at": later,
                "received_at": later,
            }
            for user in erased
        ),
    )
    # Namesakes by the 64-bit key: theirs is nobody else's erasure.
    insert_erased(analysis.client, "user-3", {LOWEST: START - timedelta(hours=1)})
    for user in ("user-6", "user-7", "user-61"):
        insert_erased(analysis.client, user, {HIGHEST: START + timedelta(hours=2)})
    # The even ones were anonymous before they were the odd ones. A link with an erased id is gone.
    persons = {f"user-{number}": f"user-{number + 1}" for number in range(2, 60, 2)}
    links = [{"anonymous_id": anonymous, "user_id": person} for anonymous, person in persons.items()]
    sent = text(START + timedelta(hours=1))
    times = {"linked_at": sent, "received_at": sent}
    analysis.send("user_link", *({"schema_version": 1, "unit_type": "user", **row, **times} for row in links))
    for row in (*assignments, *events):
        row["sent_as"] = row["user_id"]
        if not erased & {row["user_id"], persons.get(row["user_id"])}:
            row["user_id"] = persons.get(row["user_id"], row["user_id"])
    watermark = read_watermark(analysis.client)

    configurations = {snapshot["version"]: decoded(snapshot) for snapshot in snapshots}
    for one in configurations[3].metrics:
        found = {
            (row.variant_key, row.version): (
                row.missing,
                row.n,
                row.sum_value,
                row.sum_squares,
                row.denominator,
            )
            for row in read_sums(analysis.client, configurations, one, watermark)
        }
        expected = _sums(one, population, assignments, events, erased, watermark)
        assert {place: row[:4] for place, row in found.items()} == {
            place: tuple(row[:4]) for place, row in expected.items()
        }
        assert any(row[0] for row in expected.values()) == (one.missing == "exclude")
        if one.denominator:
            for place, row in expected.items():
                products = found[place][4]
                assert products is not None
                assert [products.sum, products.squares, products.products] == row[4:]


def _assigned(user: str, arm: str) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "experiment_id": 1,
        "unit_type": "user",
        "user_id": user,
        "variant_key": arm,
        "version": 1,
        "attributes": None,
    }


def _sums(
    one: Any,
    population: str,
    assignments: list[dict[str, Any]],
    events: list[dict[str, Any]],
    erased: set[str],
    watermark: Any,
) -> dict[tuple[str, int], list[Any]]:
    """The same sums in plain Python, by arm and version; those without a value first."""
    arms = defaultdict(list)
    for row in assignments:
        arms[row["user_id"]].append(row)
    sums: dict[tuple[str, int], list[Any]] = {}
    cut_short = 0
    for user, rows in arms.items():
        own = [row for row in events if row["user_id"] == user]
        met = [_time(row) for row in own if row["event_type"] == "exposure" and row["experiment_id"] == 1]
        if population == "assigned":
            met = [_moment(row["assigned_at"]) for row in rows]
        if len({row["variant_key"] for row in rows}) > 1 or user in erased or not met:
            continue
        first = min(met)
        if first + timedelta(seconds=one.window_seconds) > watermark:
            continue
        if first < PAUSED_AT < first + timedelta(seconds=one.window_seconds):
            cut_short += 1
            continue
        entered = min(
            rows, key=lambda row: (_moment(row["assigned_at"]), row["sent_as"] == user, row["sent_as"])
        )
        place = (entered["variant_key"], entered["version"])
        before = sums.get(place, [0, 0, *[Decimal(0)] * 5])
        if one.missing == "exclude" and not _counted(one, own, first, one):
            sums[place] = [before[0] + 1, *before[1:]]
            continue
        value = _total(one, own, first, one)
        if one.cap is not None:
            value = min(value, Decimal(one.cap))
        divisor = _total(one, own, first, one.denominator) if one.denominator else Decimal(0)
        parts = (0, 1, value, value * value, divisor, divisor * divisor, value * divisor)
        sums[place] = [a + b for a, b in zip(before, parts, strict=True)]
    assert cut_short > 5
    return sums


def _counted(one: Any, own: list[dict[str, Any]], first: Any, part: Any) -> list[dict[str, Any]]:
    """The unit's events within the window that the metric, or its denominator, is about."""
    return [
        row
        for row in own
        if row["event_type"] == part.event_type
        and row["experiment_id"] in (1, None)
        and timedelta(seconds=one.window_start_seconds)
        <= _time(row) - first
        < timedelta(seconds=one.window_seconds)
        and all(
            str(row["properties"][name]) == wanted for name, wanted in (part.property_filter or {}).items()
        )
    ]


def _total(one: Any, own: list[dict[str, Any]], first: Any, part: Any) -> Decimal:
    counted = _counted(one, own, first, part)
    if part.aggregation == "any":
        return Decimal(bool(counted))
    if part.aggregation == "count":
        return Decimal(len(counted))
    return sum((Decimal(row["value"]) for row in counted), Decimal(0))


def _time(row: dict[str, Any]) -> Any:
    return _moment(row["timestamp"])


def _moment(value: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(value)
