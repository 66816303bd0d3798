"""Gathers what a checklist is made of. What decides is elsewhere: `before`, `doctor`, `readiness`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from clickhouse_connect.driver.client import Client

from api.checklist import before, doctor, repository
from api.checklist.before import ASKED_DAYS, SECONDS, Beside, Size
from api.checklist.recomputed import Explanations, Recomputed, differing, explained
from api.checklist.schemas import Checklist
from api.demand.repository import read_asked
from api.experiments import versions
from api.experiments.answers import ExperimentOut
from api.experiments.readiness import ChecklistItem, Grade, Matches, entry_of, fitness_items
from api.experiments.registry import LiveExperiment, Registry
from api.experiments.repository import Row, read_one
from api.experiments.seen import read_matches
from api.http.problems import Problem, found
from api.postgres.database import Pool
from api.results.readings import Readings
from api.results.repository import ResultsReader
from api.results.schemas import Health
from api.results.service import ResultsService
from neonblue.bucketing import FULL_ALLOCATION, Configuration
from neonblue.contract.life_cycle import STARTED, Status
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.traffic import Source, read_arrived, read_repeated, read_seen

Found = TypeVar("Found")

STORED_UNITS = 10_000
"""So many stored variants are worked out anew."""
_UNSTARTED = (Status.DRAFT, Status.SCHEDULED)
_TOLD = ("ok", "no_data")
_ORDER = list(Grade)


@dataclass(frozen=True, slots=True)
class ChecklistService:
    pool: Pool
    registry: Registry
    reader: ResultsReader
    results: ResultsService
    _readings: Readings = field(default_factory=Readings, init=False)

    async def of(self, key: str) -> Checklist:
        """Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            row = found(await read_one(connection, key), "experiment")
        experiment = ExperimentOut.model_validate(row)
        snapshot = versions.snapshot_of(row, datetime.now(UTC))
        if experiment.status in _UNSTARTED:
            items = await self._before(row, experiment, snapshot)
        else:
            items = await self._since(row, experiment, snapshot)
        return Checklist(
            experiment=key,
            experiment_id=experiment.id,
            experiment_status=experiment.status,
            status=max((item.status for item in items), key=_ORDER.index, default=Grade.OK),
            items=items,
        )

    async def _before(
        self, row: Row, experiment: ExperimentOut, snapshot: ExperimentMessage
    ) -> list[ChecklistItem]:
        seen, arrived_item, matches = await asyncio.gather(
            self._asked(
                f"seen {experiment.unit_type}", lambda client: read_seen(client, experiment.unit_type)
            ),
            self._events(snapshot),
            self._matches(row),
        )
        items = [before.metrics_item(snapshot.metrics), before.guardrail_item(snapshot.metrics)]
        items += [] if arrived_item is None else [arrived_item]
        items += fitness_items(experiment, entry_of(row), matches)
        if experiment.source == "internal":
            items.append(before.size_item(_size(row, experiment, matches), seen))
            items.append(before.beside_item(self._beside(row, experiment)))
        return [*items, *await self._asked_for(experiment)]

    async def _since(
        self, row: Row, experiment: ExperimentOut, snapshot: ExperimentMessage
    ) -> list[ChecklistItem]:
        types = {source.event_type for metric in snapshot.metrics for source in before.sources_of(metric)}
        health, arrived_item, repeated, stored = await asyncio.gather(
            self._health(experiment.key),
            self._events(snapshot) if experiment.status in STARTED else _nothing(),
            self._asked(
                f"repeats {experiment.id} {sorted(types)}",
                lambda client: read_repeated(client, experiment.unit_type, experiment.id, types),
            )
            if types
            else _nothing(),
            self._recomputed(row, experiment),
        )
        recomputed, configurations = stored
        told = health is not None and health.status in _TOLD
        ratios = doctor.ratios_of(configurations, health.items) if health and told else []
        checks = health.checks if health and told else None
        items = list(doctor.health_items(checks, ratios, "" if health is None else health.reason))
        items += [] if arrived_item is None else [arrived_item]
        items.append(doctor.stored_item(recomputed, released=experiment.release is not None))
        items += [doctor.repeats_item(repeated)] if types else []
        return [*items, *await self._asked_for(experiment)]

    async def _asked_for(self, experiment: ExperimentOut) -> list[ChecklistItem]:
        """Whether the key is asked for; of an import it need not be."""
        if experiment.source != "internal":
            return []
        async with self.pool.connection() as connection:
            asked = await read_asked(connection, experiment.id, ASKED_DAYS)
        return [before.asked_item(asked.count, asked.last_at)]

    async def _matches(self, row: Row) -> Matches | None:
        async with self.pool.connection() as connection:
            return await read_matches(connection, row["unit_type"], row["targeting"])

    async def _events(self, snapshot: ExperimentMessage) -> ChecklistItem | None:
        sources: set[Source] = {source for metric in snapshot.metrics for source in before.sources_of(metric)}
        if not sources:
            return None
        arrived = await self._asked(
            f"arrived {snapshot.unit_type} {sorted(map(repr, sources))}",
            lambda client: read_arrived(client, snapshot.unit_type, sources),
        )
        return before.events_item(snapshot.metrics, snapshot.unit_type, arrived)

    async def _health(self, key: str) -> Health | None:
        try:
            return await self._readings.within(SECONDS, f"health {key}", lambda: self.results.health(key))
        except Problem:
            return None

    async def _asked(self, name: str, read: Callable[[Client], Found]) -> Found | None:
        """What ClickHouse says in time. None where it is away or too slow; all who ask meanwhile share one reading."""
        try:
            return await self._readings.within(SECONDS, name, lambda: self.reader.read(read))
        except Problem:
            return None

    async def _recomputed(
        self, row: Row, experiment: ExperimentOut
    ) -> tuple[Recomputed, dict[int, ExperimentMessage]]:
        """Stored variants worked out anew, and the experiment's configurations by version."""
        number, unit_type = experiment.id, experiment.unit_type
        async with self.pool.connection() as connection:
            configurations = await repository.read_configurations(connection, number)
            stored = await repository.read_stored(connection, number, unit_type, STORED_UNITS + 1)
            units, whole = stored[:STORED_UNITS], len(stored) <= STORED_UNITS
            present = _division(versions.snapshot_of(row, datetime.now(UTC)))
            differ = await asyncio.to_thread(differing, units, present)
            ids = [unit.user_id for unit in differ]
            imported = experiment.source == "external"
            by = Explanations()
            if differ and not imported:
                by = Explanations(
                    await repository.read_linked(connection, unit_type, ids),
                    await repository.read_forced(connection, number, unit_type, ids),
                    {version: _division(one) for version, one in configurations.items()},
                )
        kinds = explained(differ, present, by, imported=imported)
        return Recomputed(len(units), whole, kinds), configurations

    def _beside(self, row: Row, experiment: ExperimentOut) -> list[Beside]:
        """Others of the same type of units, but for those that hold other slots of its layer while they run."""
        layer = None if row["layer"] is None else row["layer"]["salt"]
        running = [
            live
            for live in self.registry.running(experiment.unit_type)
            if layer is None or live.configuration.layer is None or live.configuration.layer.salt != layer
        ]
        released = [live for live in self.registry.served(experiment.unit_type) if _is_release(live)]
        return [
            Beside(live.key, release, live.salt == experiment.salt)
            for group, release in ((running, False), (released, True))
            for live in group
            if live.experiment_id != experiment.id
        ]


async def _nothing() -> None:
    """In the place of what is not asked."""


def _is_release(live: LiveExperiment) -> bool:
    return live.serving is not None and live.serving.release is not None


def _size(row: Row, experiment: ExperimentOut, matches: Matches | None) -> Size:
    """Under a ramp as if all came once its last step is taken."""
    now, entry = datetime.now(UTC), entry_of(row)
    starts_at = max(experiment.scheduled_start_at or now, now)
    if experiment.ramp is not None:
        *early, last = experiment.ramp.plan.steps
        starts_at += sum((step.hold for step in early), timedelta())
        entry = replace(entry, allocation=last.share)
    return Size(
        experiment.planned_units,
        experiment.planned_days,
        starts_at,
        experiment.scheduled_stop_at,
        entry.share,
        1.0 if experiment.targeting is None else None if matches is None else matches.share,
    )


def _division(configuration: ExperimentMessage) -> Configuration:
    """How it divides its units into arms, whoever enters it."""
    weights = tuple((variant.key, variant.weight) for variant in configuration.variants)
    return Configuration(configuration.salt, FULL_ALLOCATION, weights)
