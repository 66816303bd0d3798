"""What happens in the experiments that the watch over guardrails is tried with."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from neonblue.contract.messages import ExperimentMessage
from tests.integration.orchestration.scenario import ARMS, assignment, event, experiment, metric, text

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
START = NOW - timedelta(days=3)
OPEN_AT = START + timedelta(hours=48)
"""What happens from then on is in no table: the live models add it."""
PAUSES = (START + timedelta(hours=20, minutes=30), START + timedelta(hours=50))
"""Units enter at these very times, and the windows of others end at them: those count."""
HARMED, HARMLESS = {"control": 0.05, "treatment": 0.15}, {"control": 0.05, "treatment": 0.05}
UNITS = 800
HOUR, DAY = 3600, 86_400
KINDS = [
    metric(),
    metric(key="count", type="count", aggregation="count", cap="1.5"),
    metric(key="late", type="count", aggregation="count", window_start_seconds=100),
    metric(key="seen", type="mean", aggregation="sum", property_filter={"page": "/pay", "build": "7"}),
    metric(
        key="ratio",
        type="ratio",
        aggregation="sum",
        denominator={"event_type": "click", "aggregation": "count", "property_filter": {"page": "/pay"}},
    ),
    metric(key="rating", type="mean", aggregation="sum", property_filter={"page": "/pay"}, missing="exclude"),
]
METRICS = [
    {**kind, "key": f"{kind['key']}_{window}", "window_seconds": window, "role": "secondary", "margin": None}
    for window in (300, 2 * HOUR, DAY)
    for kind in KINDS
]
POPULATIONS = {1: "exposed", 2: "assigned"}
OFFSETS = (0, 50, 99, 100, 250, 299, 300, 600, HOUR, 2 * HOUR - 1, 2 * HOUR, 40_000, DAY - 1, DAY, 100_000)


def decoded(snapshot: dict[str, Any]) -> ExperimentMessage:
    return msgspec.json.decode(json.dumps(snapshot), type=ExperimentMessage)


def course(number: int, key: str, *metrics: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """Snapshots of an experiment that was paused twice and went on."""
    steps = [("running", START)]
    for at in PAUSES:
        steps += [("paused", at), ("running", at + timedelta(minutes=1))]
    return [
        one(number, key, *metrics, status=status, version=version, received_at=text(at), **fields)
        for version, (status, at) in enumerate(steps, start=1)
    ]


def one(number: int, key: str, *metrics: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return experiment(
        *metrics,
        **{"experiment_id": number, "key": key, "started_at": text(START), "received_at": text(START)}
        | fields,
    )


def entering(
    number: int, rates: dict[str, float], at: datetime, version: int = 1, named: str = ""
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Assignments and events: each unit is exposed within a minute, and errs at its arm's rate soon after."""
    chance = random.Random(number + version)
    assignments, events = [], []
    for arm in ARMS:
        for unit in range(UNITS):
            user, met = f"{number}-{arm}-{unit}{named}", at + timedelta(seconds=chance.uniform(0, 60))
            given = {
                "experiment_id": number,
                "version": version,
                "assigned_at": text(at),
                "received_at": text(at),
            }
            assignments.append(assignment(user, arm, **given))
            events.append(event(chance, user, "exposure", met, experiment_id=number))
            if chance.random() < rates[arm]:
                errs = met + timedelta(seconds=chance.uniform(0, 200))
                events.append(event(chance, user, "error", errs, experiment_id=number))
    return assignments, events


class Scene:
    """Everything that happened in the experiments whose sums are compared."""

    def __init__(self) -> None:
        chance = random.Random(8)
        self.erased = {"user-3", "user-4"}
        self.assignments: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        # The even ones were anonymous before they were the odd ones. A link with an erased id is gone. Both entered at
        # once: that a unit of a closed hour was given a second arm since is for the next build to see.
        self.persons = {f"user-{number}": f"user-{number + 1}" for number in range(2, 60, 2)}
        entered = START
        for number in range(260):
            user = f"user-{number}"
            arms = chance.choices([["control"], ["treatment"], list(ARMS)], [45, 45, 10])[0]
            if user not in self.persons.values():
                entered = START + timedelta(seconds=chance.randrange(0, 66 * HOUR, HOUR // 2))
            for experiment_id in POPULATIONS:
                self.assignments += [
                    {
                        **assignment(user, arm),
                        "experiment_id": experiment_id,
                        "version": chance.choice((1, 3, 5)),
                        "assigned_at": text(entered),
                        "received_at": text(entered),
                    }
                    for arm in arms
                ]
            for _ in range(chance.randrange(12)):
                kind = chance.choice(("exposure", "error", "error", "click", "click"))
                at = entered + timedelta(seconds=chance.choice(OFFSETS))
                self.events.append(
                    event(
                        chance,
                        user,
                        kind,
                        min(at, NOW - timedelta(minutes=1)),
                        experiment_id=chance.choice((1, 2) if kind == "exposure" else (1, 2, 9, None)),
                        value=f"{chance.randrange(1, 9_000_000) / 10**6:.6f}",
                        properties={
                            "page": chance.choice(("/pay", "/")),
                            "build": chance.choice((7, "7", 8)),
                        },
                    )
                )

    def by_unit(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Assignments and events under the unit's id."""

        def linked(row: dict[str, Any]) -> dict[str, Any]:
            sent = row["user_id"]
            person = self.persons.get(sent)
            apart = self.erased & {sent, person}
            return {**row, "sent_as": sent, "user_id": sent if apart or person is None else person}

        return [linked(row) for row in self.assignments], [linked(row) for row in self.events]
