"""Results of an experiment: live, as published, and its tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar

from clickhouse_connect.driver.client import Client

from api.experiments.service import ExperimentService
from api.http.problems import Problem
from api.looks.service import LookService
from api.results.cache import Looks, Shared
from api.results.readings import Readings
from api.results.repository import ResultsReader, unanswered
from api.results.schemas import (
    Compared,
    Health,
    Part,
    PublishedFrom,
    Results,
    Segments,
    Snapshots,
    Source,
    TimeSeries,
)
from neonblue.analysis.answer import Answer, check_item
from neonblue.analysis.over_time import day_effects
from neonblue.analysis.restatement import Published, restatements
from neonblue.analysis.stamp import Stamp
from neonblue.analysis.why import State
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.checks import correction_check, late_correction_check
from neonblue.results.look import Look, look
from neonblue.results.parts import (
    ClockCounts,
    Interval,
    RevenueItem,
    read_clocks,
    read_revenue,
    read_series,
    read_stages,
    shown_revenue,
)
from neonblue.results.segments import read_segments
from neonblue.results.snapshot import Snapshot, list_snapshots, read_snapshot
from neonblue.results.states import never_built
from neonblue.results.warehouse import NotBuilt, Warehouse
from neonblue.statistics import HealthCheck

Item = TypeVar("Item")
Reader = Callable[[Warehouse, ExperimentMessage], Sequence[Item]]


PART_SECONDS = 3.0
"""So long may a part of an experiment's health take beside its checks; then it is told that it did not answer."""
_HEALTH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ResultsService:
    """Every call raises Problem `not_found` for an unknown experiment, and `clickhouse_unavailable`."""

    reader: ResultsReader
    experiments: ExperimentService
    kept: LookService
    looks: Looks
    _readings: Readings = field(default_factory=Readings, init=False)
    _healths: Shared[Health] = field(default_factory=lambda: Shared(_HEALTH_SECONDS), init=False)

    async def live(self, key: str) -> Results:
        """As of now; what can't be computed is a status."""
        return _results((await self.look_at(key)).answer, Source.LIVE)

    async def published(self, key: str, as_of: datetime) -> Results:
        """The newest result published by `as_of`, as it was; beside it what the same units say today.

        Raises Problem `not_published`.
        """
        experiment = await self.experiments.get(key)
        snapshot = await self.reader.read(lambda client: read_snapshot(client, experiment.id, as_of))
        if snapshot is None:
            raise Problem(
                404, "not_published", "No result of this experiment had been published by then", field="as_of"
            )
        return _results(
            snapshot.answer,
            Source.SNAPSHOT,
            PublishedFrom(
                snapshot_id=snapshot.snapshot_id,
                run_id=snapshot.run_id,
                offsets=snapshot.offsets,
                metric_versions={metric.key: metric.version for metric in snapshot.configuration.metrics},
            ),
            _compared(snapshot, await self.look_at(key)),
        )

    async def snapshots(self, key: str, limit: int) -> Snapshots:
        """What was published, newest first."""
        experiment = await self.experiments.get(key)
        found = await self.reader.read(lambda client: list_snapshots(client, experiment.id, limit))
        return Snapshots(experiment=key, experiment_id=experiment.id, items=found)

    async def part(self, key: str, read: Reader[Item]) -> Part[Item]:
        """One of the experiment's tables."""
        seen = await self.look_at(key)
        items, status, reason = await self._items(seen, read)
        return Part[Item](**_envelope(seen, status, reason), items=items)

    async def series(self, key: str, interval: Interval) -> TimeSeries:
        """Over time; by day with each metric's difference so far."""
        seen = await self.look_at(key)
        items, status, reason = await self._items(
            seen, lambda warehouse, experiment: read_series(warehouse, experiment, interval)
        )
        effects = []
        if interval is Interval.DAY and seen.rows and seen.question:
            effects = list(day_effects(seen.configurations, seen.rows, seen.question))
        return TimeSeries(**_envelope(seen, status, reason), items=items, effects=effects)

    async def segments(self, key: str) -> Segments:
        """Primary metrics in segments."""
        seen = await self.look_at(key)
        question = seen.question
        items, status, reason = await self._items(
            seen,
            lambda warehouse, _: (
                () if question is None else read_segments(warehouse, seen.configurations, question)
            ),
        )
        return Segments(**_envelope(seen, status, reason), items=items)

    async def revenue(self, key: str) -> Part[RevenueItem]:
        """Revenue of each metric that sums values."""
        seen = await self.look_at(key)
        items, status, reason = await self._items(seen, read_revenue)
        shown = items if seen.question is None else shown_revenue(items, seen.question)
        return Part[RevenueItem](**_envelope(seen, status, reason), items=shown)

    async def health(self, key: str) -> Health:
        """Checks and stages, read at once and for all who ask within a second. Without the stages: Problem
        `clickhouse_unavailable`.
        """
        return await self._healths.get(key, lambda: self._health(key))

    async def _health(self, key: str) -> Health:
        seen = await self.look_at(key)
        stages, clocks = await asyncio.gather(
            self._readings.within(PART_SECONDS, f"{key} stages", lambda: self._items(seen, read_stages)),
            self._readings.within(PART_SECONDS, f"{key} clocks", lambda: self._items(seen, read_clocks)),
        )
        if stages is None:
            raise unanswered()
        checks = [late_correction_check(PART_SECONDS)] if clocks is None else _clock_checks(clocks[0])
        told = tuple(check_item(check) for check in checks if check is not None)
        items, status, reason = stages
        return Health(**_envelope(seen, status, reason), items=items, checks=seen.answer.health + told)

    async def look_at(self, key: str) -> Look:
        """All that is known of it, shared with whoever asks at the same time."""
        experiment = await self.experiments.get(key)

        async def compute() -> Look:
            kept = await self.kept.of_experiment(experiment.id)
            return await self.reader.read(lambda client: look(Warehouse.of(client), key, experiment.id, kept))

        return await self.looks.get(key, compute)

    async def _items(self, seen: Look, read: Reader[Item]) -> tuple[list[Item], str, str]:
        configuration = seen.configuration
        if configuration is None or seen.question is None:
            return [], seen.answer.status, seen.answer.reason

        def work(client: Client) -> list[Item] | NotBuilt:
            try:
                return list(read(Warehouse.of(client), configuration))
            except NotBuilt as missing:
                return missing

        found = await self.reader.read(work)
        if isinstance(found, NotBuilt):
            why = never_built(seen.stamp.computed_at)
            return [], why.state.value, why.reason
        if found:
            return found, State.OK.value, ""
        empty = seen.answer.status == State.NO_DATA
        return (
            [],
            State.NO_DATA.value,
            seen.answer.reason if empty else "There are no rows of this experiment yet.",
        )


def _clock_checks(found: Sequence[ClockCounts]) -> list[HealthCheck | None]:
    return [
        correction_check(counts.events, counts.corrected, counts.from_afar, counts.early) for counts in found
    ]


def _results(
    answer: Answer,
    source: Source,
    snapshot: PublishedFrom | None = None,
    restatement: Compared | None = None,
) -> Results:
    values = {one.name: getattr(answer, one.name) for one in fields(Answer)}
    return Results(**values, source=source, snapshot=snapshot, restatement=restatement)


def _compared(snapshot: Snapshot, seen: Look) -> Compared:
    if seen.configuration is None or seen.rows is None:
        return Compared(status="unknown", reason=seen.answer.reason)
    published = Published(
        snapshot.configuration, snapshot.moments, snapshot.answer.computed_at, snapshot.answer.code_version
    )
    items = restatements(published, seen.configuration, seen.rows.moments, seen.stamp.code_version)
    return Compared(status="restated" if items else "unchanged", items=items)


def _envelope(seen: Look, status: str, reason: str) -> dict[str, Any]:
    stamp: Stamp = seen.stamp
    return {
        "experiment": seen.answer.experiment,
        "experiment_id": seen.answer.experiment_id,
        "status": status,
        "reason": reason,
        "computed_at": stamp.computed_at,
        "watermark": stamp.watermark,
        "configuration_version": stamp.configuration_version,
        "code_version": stamp.code_version,
    }
