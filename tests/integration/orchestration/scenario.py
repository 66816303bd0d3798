"""A running experiment with guardrails, its units and their errors, as messages."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARMS = ("control", "treatment")


def text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def metric(**fields: Any) -> dict[str, Any]:
    return {
        "key": "errors",
        "version": 1,
        "type": "proportion",
        "role": "guardrail",
        "direction": "decrease",
        "event_type": "error",
        "aggregation": "any",
        "window_seconds": 600,
        "margin": "0.2",
        **fields,
    }


def experiment(*metrics: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "experiment_id": 1,
        "key": "checkout",
        "name": "Checkout",
        "source": "internal",
        "unit_type": "user",
        "population": "exposed",
        "status": "running",
        "version": 1,
        "salt": "s",
        "allocation": 10000,
        "variants": [{"key": arm, "name": arm, "weight": 1, "is_control": arm == "control"} for arm in ARMS],
        "metrics": list(metrics),
        "started_at": text(START),
        "concluded_at": None,
        "received_at": text(START),
        **fields,
    }


def assignment(user: str, arm: str, **fields: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "experiment_id": 1,
        "unit_type": "user",
        "user_id": user,
        "variant_key": arm,
        "version": 1,
        "assigned_at": text(START),
        "attributes": None,
        "received_at": text(START),
        **fields,
    }


def event(chance: random.Random, user: str, kind: str, at: datetime, **fields: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "id": str(UUID(int=chance.getrandbits(128), version=4)),
        "user_id": user,
        "unit_type": "user",
        "event_type": kind,
        "timestamp": text(at),
        "experiment_id": 1,
        "variant_key": None,
        "session_id": None,
        "value": None,
        "properties": None,
        "received_at": text(at + timedelta(milliseconds=20)),
        **fields,
    }


def launch(rates: dict[str, float], units: int, seed: int = 1) -> tuple[list[Any], list[Any]]:
    """Assignments and events: each unit is exposed within the first minute, and errs at its arm's rate soon after."""
    chance = random.Random(seed)
    assignments, events = [], []
    for arm in ARMS:
        for number in range(units):
            user = f"{arm}-{number}"
            met = START + timedelta(seconds=chance.uniform(0, 60))
            assignments.append(assignment(user, arm))
            events.append(event(chance, user, "exposure", met))
            events += [
                event(chance, user, "error", met + timedelta(seconds=chance.uniform(0, 500)))
                for _ in range(2 if chance.random() < rates[arm] else 0)
            ]
    return assignments, events
