"""Letting the units of a scenario visit: assignment, exposure, events, at times a repeated request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from neonblue.client import Assignment, AsyncClient, NewAssignment, NewEvent, event_of
from neonblue.simulation.scenario import Scenario, numbers

UNITS_AT_ONCE = 60
WORKERS = 8
REPEATED_EVERY = 20
"""Every so-many-th request is sent twice, as a client does that missed the answer."""


@dataclass(slots=True)
class Traffic:
    """What was sent. Exposures are recorded by the assignments."""

    units: int = 0
    events: int = 0
    duplicates: int = 0
    rejected: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Visit:
    """Which experiment, how many units, and how many of them a second (None: as fast as it goes)."""

    key: str
    units: int
    units_per_second: float | None = None


async def drive(
    client: AsyncClient, scenario: Scenario, visit: Visit, on_progress: Callable[[Traffic], object]
) -> Traffic:
    """Send every unit's visit; returns when everything is acknowledged."""
    traffic = Traffic()
    started = time.monotonic()
    groups = enumerate(numbers(visit.units, UNITS_AT_ONCE))

    async def work() -> None:
        for turn, group in groups:  # shared by the workers: each takes the next one
            if visit.units_per_second is not None:
                await asyncio.sleep(
                    max(0.0, started + group.start / visit.units_per_second - time.monotonic())
                )
            await _visit(client, scenario, visit.key, group, traffic, repeat=turn % REPEATED_EVERY == 0)
            traffic.seconds = time.monotonic() - started
            on_progress(traffic)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WORKERS):
            tasks.create_task(work())
    return traffic


async def _visit(
    client: AsyncClient, scenario: Scenario, key: str, group: range, traffic: Traffic, *, repeat: bool
) -> None:
    wanted = [NewAssignment(experiment=key, user_id=scenario.user_id(number)) for number in group]
    assignments = await client.assign_many(wanted)
    traffic.units += len(assignments)
    events = [
        event
        for number, assignment in zip(group, assignments, strict=True)
        for event in _events(scenario, number, assignment)
    ]
    for _ in range(2 if repeat else 1):
        receipt = await client.send(events)
        traffic.events += receipt.accepted
        traffic.duplicates += receipt.duplicates
        traffic.rejected += receipt.rejected


def _events(scenario: Scenario, number: int, assignment: Assignment) -> Iterator[NewEvent]:
    if assignment.variant_key is None or not assignment.in_experiment:
        return
    user, experiment = scenario.user_id(number), assignment.experiment_id
    outcome = scenario.outcome(number, assignment.variant_key)
    now = datetime.now(UTC)
    session = f"session-{number}"
    kinds = ["page_view"] * outcome.views + ["click"] * outcome.clicks + ["error"] * outcome.error
    for kind in kinds:
        properties: dict[str, object] = {"page": "/checkout"}
        yield event_of(
            kind, user, experiment_id=experiment, session_id=session, properties=properties, timestamp=now
        )
    if outcome.order is not None:
        yield event_of(
            "purchase", user, experiment_id=experiment, session_id=session, value=outcome.order, timestamp=now
        )
