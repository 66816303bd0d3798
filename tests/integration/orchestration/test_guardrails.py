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
]


@pytest.mark.parametrize("population", ["exposed", "assigned"])
def test_sums_are_those_of_each_finished_units_events(analysis: Analysis, population: str) -> None:
    """Units in two arms, erased ones, those within their window are left out; copies and linked ids count once."""
    chance = random.Random(8)
    snapshot = experiment(*METRICS, population=population)
    events: list[dict[str, Any]] = []
    assignments: list[dict[str, Any]] = []
    for number in range(150):
        user = f"user-{number}"
        arms = chance.choices([["control"], ["treatment"], list(ARMS)], [45, 45, 10])[0]
        entered = START + timedelta(seconds=chance.randrange(0, 900, 60))
        assignments += [
            {**_assigned(user, arm), "assigned_at": text(entered), "received_at": text(entered)}
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
    analysis.send("experiment", snapshot)
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
    # The even ones were anonymous before they were the odd ones. A link with an erased id is gone.
    persons = {f"user-{number}": f"user-{number + 1}" for number in range(2, 60, 2)}
    links = [{"anonymous_id": anonymous, "user_id": person} for anonymous, person in persons.items()]
    sent = text(START + timedelta(hours=1))
    times = {"linked_at": sent, "received_at": sent}
    analysis.send("user_link", *({"schema_version": 1, "unit_type": "user", **row, **times} for row in links))
    for row in (*assignments, *events):
        if not erased & {row["user_id"], persons.get(row["user_id"])}:
            row["user_id"] = persons.get(row["user_id"], row["user_id"])
    watermark = read_watermark(analysis.client)

    for one in decoded(snapshot).metrics:
        found = {
            row.variant_key: (row.n, row.sum_value, row.sum_squares, row.denominator)
            for row in read_sums(analysis.client, decoded(snapshot), one, watermark)
        }
        expected = _sums(one, population, assignments, events, erased, watermark)
        assert {arm: row[:3] for arm, row in found.items()} == {
            arm: tuple(row[:3]) for arm, row in expected.items()
        }
        if one.denominator:
            for arm, row in expected.items():
                products = found[arm][3]
                assert products is not None
                assert [products.sum, products.squares, products.products] == row[3:]


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
) -> dict[str, list[Any]]:
    """The same sums in plain Python."""
    arms = defaultdict(list)
    for row in assignments:
        arms[row["user_id"]].append(row)
    sums: dict[str, list[Any]] = {}
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
        value = _total(one, own, first, one)
        if one.cap is not None:
            value = min(value, Decimal(one.cap))
        divisor = _total(one, own, first, one.denominator) if one.denominator else Decimal(0)
        place = sums.setdefault(rows[0]["variant_key"], [0, *[Decimal(0)] * 5])
        parts = (1, value, value * value, divisor, divisor * divisor, value * divisor)
        sums[rows[0]["variant_key"]] = [a + b for a, b in zip(place, parts, strict=True)]
    return {arm: [row[0], row[1], row[2], row[3], row[4], row[5]] for arm, row in sums.items()} | {}


def _total(one: Any, own: list[dict[str, Any]], first: Any, part: Any) -> Decimal:
    counted = [
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
