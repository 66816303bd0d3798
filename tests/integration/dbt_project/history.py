"""A random history of experiments, and what the models must make of it, in plain Python."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

START = datetime(2026, 1, 28, 22, tzinfo=UTC)
METRICS: list[dict[str, Any]] = [
    {"key": "bought", "type": "proportion", "event_type": "purchase", "aggregation": "any"},
    {"key": "revenue", "type": "mean", "event_type": "purchase", "aggregation": "sum", "cap": "30.5"},
    {
        "key": "day_clicks",
        "type": "mean",
        "event_type": "click",
        "aggregation": "count",
        "window_seconds": 86400,
    },
    {
        "key": "mobile_clicks",
        "type": "mean",
        "event_type": "click",
        "aggregation": "count",
        "property_filter": {"device": "mobile", "build": "7"},
    },
]


def text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def metric(**fields: Any) -> dict[str, Any]:
    neutral = {"version": 1, "role": "primary", "direction": "increase"}
    return {**neutral, "property_filter": None, "window_seconds": None, "cap": None, **fields}


def experiment(number: int, population: str) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "experiment_id": number,
        "key": f"experiment-{number}",
        "name": "",
        "source": "internal",
        "unit_type": "user",
        "population": population,
        "status": "running",
        "version": 1,
        "salt": "s",
        "allocation": 10000,
        "variants": [
            {"key": key, "name": key, "weight": 1, "is_control": key == "control"}
            for key in ("control", "treatment")
        ],
        "metrics": [metric(**fields) for fields in METRICS],
        "started_at": text(START),
        "concluded_at": None,
        "received_at": text(START),
    }


@dataclass
class History:
    """The messages' payloads, by what they tell of."""

    experiments: list[dict[str, Any]] = field(default_factory=list)
    assignments: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    erasures: list[dict[str, Any]] = field(default_factory=list)


def generate(seed: int, users: int = 120) -> History:
    """Units in two arms, never exposed, without assignment, erased; events before exposure, on four days."""
    chance = random.Random(seed)
    history = History(experiments=[experiment(1, "exposed"), experiment(2, "assigned")])
    for number in range(users):
        user = f"user-{number}"
        for row in (1, 2):
            arms = chance.choices([["control"], ["treatment"], ["control", "treatment"], []], [45, 45, 4, 6])[
                0
            ]
            for arm in arms:
                history.assignments.append(
                    {
                        "schema_version": 1,
                        "experiment_id": row,
                        "unit_type": "user",
                        "user_id": user,
                        "variant_key": arm,
                        "version": chance.choice((1, 2)),
                        "assigned_at": text(_moment(chance)),
                        "attributes": None,
                        "received_at": text(START + timedelta(days=5)),
                    }
                )
        history.events += [_event(chance, user) for _ in range(chance.randrange(12))]
        if chance.random() < 0.05:
            erased_at = text(START + timedelta(days=chance.choice((4, 6))))
            history.erasures.append(
                {
                    "schema_version": 1,
                    "unit_type": "user",
                    "user_id": user,
                    "erased_at": erased_at,
                    "received_at": erased_at,
                }
            )
    return history


def _moment(chance: random.Random) -> datetime:
    # Whole seconds and a few, so that an exposure and an outcome meet in the same instant now and then.
    return START + timedelta(
        seconds=chance.randrange(0, 4 * 86400, 3600), microseconds=chance.choice((0, 0, 1))
    )


def _event(chance: random.Random, user: str) -> dict[str, Any]:
    kind = chance.choice(("exposure", "exposure", "page_view", "click", "click", "purchase"))
    return {
        "schema_version": 1,
        "id": str(UUID(int=chance.getrandbits(128), version=4)),
        "user_id": user,
        "unit_type": "user",
        "event_type": kind,
        "timestamp": text(_moment(chance)),
        "experiment_id": chance.choice((1, 2) if kind == "exposure" else (1, 2, None)),
        "variant_key": None,
        "session_id": None,
        "value": f"{chance.randrange(1, 20_000_000) / 10**6:.6f}" if kind == "purchase" else None,
        "properties": {"device": chance.choice(("mobile", "desktop")), "build": chance.choice((7, "7", 8))},
        "received_at": text(START + timedelta(days=5)),
    }


Unit = tuple[int, str]


@dataclass
class Expected:
    """The marts' rows, without their build's order."""

    first_exposures: dict[Unit, tuple[str, int, datetime]]
    values: dict[tuple[int, str, str], Decimal]
    moments: dict[tuple[int, str, str, int, str], tuple[int, Decimal, Decimal]]
    daily: dict[tuple[int, str, str], tuple[int, int, int, Decimal, int]]


def compute(history: History) -> Expected:
    """The same definitions as the models', over lists and dictionaries."""
    erased = {erasure["user_id"]: _time(erasure["erased_at"]) for erasure in history.erasures}

    def alive(row: dict[str, Any]) -> bool:
        return row["user_id"] not in erased or _time(row["received_at"]) > erased[row["user_id"]]

    events = [event for event in history.events if alive(event)]
    exposures = _first_exposures(history, [row for row in history.assignments if alive(row)], events)
    counted = list(_attributed(exposures, events))
    values = _values(history, exposures, counted)
    moments: dict[tuple[int, str, str, int, str], tuple[int, Decimal, Decimal]] = {}
    for (number, user, key), value in values.items():
        variant, version, first = exposures[number, user]
        group = (number, variant, key, version, first.date().isoformat())
        n, total, squares = moments.get(group, (0, Decimal(0), Decimal(0)))
        moments[group] = (n + 1, total + value, squares + value * value)
    return Expected(exposures, values, moments, _daily(exposures, counted))


def _first_exposures(
    history: History, assignments: list[dict[str, Any]], events: list[dict[str, Any]]
) -> dict[Unit, tuple[str, int, datetime]]:
    population = {row["experiment_id"]: row["population"] for row in history.experiments}
    arms: dict[Unit, list[dict[str, Any]]] = defaultdict(list)
    for row in assignments:
        arms[row["experiment_id"], row["user_id"]].append(row)
    found: dict[Unit, tuple[str, int, datetime]] = {}
    for unit, rows in arms.items():
        if len(rows) > 1:
            continue
        (row,) = rows
        seen = [
            _time(event["timestamp"])
            for event in events
            if event["event_type"] == "exposure" and (event["experiment_id"], event["user_id"]) == unit
        ]
        first = [_time(row["assigned_at"])] if population[unit[0]] == "assigned" else seen
        if first:
            found[unit] = (row["variant_key"], row["version"], min(first))
    return found


def _attributed(
    exposures: dict[Unit, tuple[str, int, datetime]], events: list[dict[str, Any]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for event in events:
        for number in (1, 2):
            unit = exposures.get((number, event["user_id"]))
            if unit and event["experiment_id"] in (None, number) and _time(event["timestamp"]) >= unit[2]:
                yield number, event


def _values(
    history: History,
    exposures: dict[Unit, tuple[str, int, datetime]],
    counted: list[tuple[int, dict[str, Any]]],
) -> dict[tuple[int, str, str], Decimal]:
    values = {(number, user, row["key"]): Decimal(0) for number, user in exposures for row in METRICS}
    for number, event in counted:
        for row in METRICS:
            waited = _time(event["timestamp"]) - exposures[number, event["user_id"]][2]
            wanted = row.get("property_filter") or {}
            if (
                event["event_type"] != row["event_type"]
                or ("window_seconds" in row and waited >= timedelta(seconds=row["window_seconds"]))
                or any(str(event["properties"][name]) != value for name, value in wanted.items())
            ):
                continue
            place = (number, event["user_id"], row["key"])
            match row["aggregation"]:
                case "any":
                    values[place] = Decimal(1)
                case "count":
                    values[place] += 1
                case "sum":
                    values[place] += Decimal(event["value"] or 0)
    caps = {row["key"]: Decimal(row["cap"]) for row in METRICS if "cap" in row}
    return {place: min(value, caps.get(place[2], value)) for place, value in values.items()}


def _daily(
    exposures: dict[Unit, tuple[str, int, datetime]], counted: list[tuple[int, dict[str, Any]]]
) -> dict[tuple[int, str, str], tuple[int, int, int, Decimal, int]]:
    counts: dict[tuple[int, str, str], Counter[str]] = defaultdict(Counter)
    sums: dict[tuple[int, str, str], Decimal] = defaultdict(Decimal)
    for number, event in counted:
        place = (number, exposures[number, event["user_id"]][0], event["timestamp"][:10])
        counts[place]["exposures" if event["event_type"] == "exposure" else "events"] += 1
        counts[place]["conversions"] += event["event_type"] == "purchase"
        sums[place] += Decimal(event["value"] or 0)
    for (number, _), (variant, _version, first) in exposures.items():
        counts[number, variant, first.date().isoformat()]["first"] += 1
    return {
        place: (row["events"], row["exposures"], row["conversions"], sums[place], row["first"])
        for place, row in counts.items()
    }


def _time(value: str) -> datetime:
    return datetime.fromisoformat(value)
