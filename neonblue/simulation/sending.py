"""Sending a planned import through the public API, many requests at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from neonblue.client import (
    Assignment,
    AsyncClient,
    ConflictError,
    Experiment,
    NewAssignment,
    NewEvent,
    NotFoundError,
)
from neonblue.client.batching import REQUEST_ITEMS
from neonblue.simulation.existing import require_same
from neonblue.simulation.plan import Plan
from neonblue.tables.scan import Reading

ROWS_AT_ONCE = 500
"""Rows of one unit of work: its assignments in one request, then its outcomes."""

EVENTS_AT_ONCE = REQUEST_ITEMS
"""Imported events are small: about 200 bytes each, so that a full request stays far below its byte limit."""

WORKERS = 4
"""Units of work at once: enough to fill group commits, few enough to leave the machine to the services."""


@dataclass(slots=True)
class ImportReport:
    """What the import did. `rejected`: reasons by row number, from the file's check and from the API."""

    experiment_id: int = 0
    rows: int = 0
    units_new: int = 0
    units_known: int = 0
    events_accepted: int = 0
    events_duplicate: int = 0
    rejected: dict[int, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything was stored that was not there before."""
        return bool(self.units_new or self.events_accepted)


OnProgress = Callable[[int], object]
"""Told the number of rows just finished."""


async def prepare(
    client: AsyncClient, plan: Plan, key: str, weights: dict[str, int], *, append: bool
) -> Experiment:
    """Create and start the experiment, or take the existing one up again.

    Raises FileError where the key belongs to something else, and where rows can't be added to what is there.
    """
    experiment = await _existing(client, key) if append else None
    if experiment is not None:
        require_same(experiment, plan, append=append)
    else:
        experiment = await _created(client, plan, key, weights, append=append)
    return await client.start(key) if experiment.status == "draft" else experiment


async def _existing(client: AsyncClient, key: str) -> Experiment | None:
    try:
        return await client.experiment(key)
    except NotFoundError:
        return None


async def _created(
    client: AsyncClient, plan: Plan, key: str, weights: dict[str, int], *, append: bool
) -> Experiment:
    """The new experiment, or the one of that key where it is this file's own."""
    try:
        return await client.create_experiment(plan.experiment(key, weights))
    except ConflictError:
        experiment = await client.experiment(key)
        require_same(experiment, plan, append=append)
        return experiment


async def send(
    client: AsyncClient, plan: Plan, experiment: Experiment, on_progress: OnProgress
) -> ImportReport:
    """Send every good row. Safe to repeat, whole or after an interruption."""
    report = ImportReport(experiment.id, plan.rows, rejected=dict(plan.rejections))
    chunks = _chunks(plan.readings())
    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(_work(client, plan, experiment, chunks, report, on_progress))
    on_progress(len(plan.rejections))
    return report


Chunk = list[Reading]


def _chunks(readings: Iterator[Reading]) -> Iterator[Chunk]:
    chunk: Chunk = []
    for found in readings:
        chunk.append(found)
        if len(chunk) == ROWS_AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def _work(
    client: AsyncClient,
    plan: Plan,
    experiment: Experiment,
    chunks: Iterator[Chunk],
    report: ImportReport,
    on_progress: OnProgress,
) -> None:
    for chunk in chunks:  # shared by the workers: each takes the next one
        await _assign(client, plan, experiment, chunk, report)
        await _record(client, plan, experiment, chunk, report)
        on_progress(len(chunk))


async def _assign(
    client: AsyncClient, plan: Plan, experiment: Experiment, chunk: Chunk, report: ImportReport
) -> None:
    pairs = [(reading.row, plan.assignment(experiment.key, reading)) for reading in chunk]
    wanted = [(row, assignment) for row, assignment in pairs if assignment is not None]
    if not wanted:
        return
    answers = await client.assign_many([assignment for _, assignment in wanted])
    for (row, assignment), answer in zip(wanted, answers, strict=True):
        reason = _refusal(assignment, answer)
        if reason is not None:
            report.rejected[row] = reason
        elif answer.created:
            report.units_new += 1
        else:
            report.units_known += 1


def _refusal(wanted: NewAssignment, answer: Assignment) -> str | None:
    if answer.variant_key == wanted.variant_key:
        return None
    if answer.variant_key is not None:
        return f"unit {wanted.user_id!r} is stored in arm {answer.variant_key!r} already"
    return f"assignment: {answer.message or answer.reason or answer.code or 'refused'}"


async def _record(
    client: AsyncClient, plan: Plan, experiment: Experiment, chunk: Chunk, report: ImportReport
) -> None:
    events = [
        (reading.row, event)
        for reading in chunk
        if reading.row not in report.rejected
        for event in plan.events(experiment.id, reading)
    ]
    for start in range(0, len(events), EVENTS_AT_ONCE):
        await _record_some(client, events[start : start + EVENTS_AT_ONCE], report)


async def _record_some(
    client: AsyncClient, events: Sequence[tuple[int, NewEvent]], report: ImportReport
) -> None:
    receipt = await client.send([event for _, event in events])
    report.events_accepted += receipt.accepted
    report.events_duplicate += receipt.duplicates
    for item in receipt.rejections:
        row, event = events[item.index]
        report.rejected[row] = f"{event.event_type}: {item.message or item.code}"
