"""Everything one process of the API is made of, and its life."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from functools import partial

import psycopg
import structlog

from api.access.admission import Admission
from api.access.callers import Gate
from api.access.cross_origin import TokenOrigins
from api.access.logging_in import LogIn
from api.access.service import TokenService
from api.access.tokens import Tokens
from api.answering import Answering
from api.arrivals import Arrivals
from api.assignments.cache import SharedCache
from api.assignments.person import PersonReader
from api.assignments.service import AssignmentService
from api.assignments.stored import AssignmentReader
from api.assignments.writer import AssignmentJob, Outcome
from api.audit.calls import CallLog
from api.audit_log.service import AuditLog
from api.background import Keeper
from api.checklist.service import ChecklistService
from api.demand.repository import prune as prune_evaluations
from api.demand.service import Demand
from api.disk import DiskWatch
from api.erasures.service import ErasureService
from api.erasures.worker import ErasureWorker
from api.evaluation.ofrep import OfrepService
from api.events import idempotency
from api.events.service import EventService
from api.events.writer import EventJob, EventResult
from api.experiments.forced import ForcedVariantService
from api.experiments.registry import Registry
from api.experiments.service import ExperimentService
from api.experiments.steps import LifeCycle
from api.experiments.verdicts import LiveResults
from api.holdouts.service import HoldoutService
from api.http.refusal_log import REFUSALS
from api.layers.service import LayerService
from api.links.service import LinkService
from api.looks.service import LookService
from api.metric_catalogue.service import MetricCatalogue
from api.pipeline import Pipeline
from api.pipeline_state.service import PipelineState
from api.postgres.database import Pool
from api.postgres.group_commit import GroupCommit
from api.postgres.outbox_release import OutboxRelease
from api.postgres.partitions import Partitions
from api.ramps.service import RampService
from api.results.glances import Glances
from api.results.pulses import Pulses
from api.results.report_service import ReportService
from api.results.service import ResultsService
from api.users.export import Exporter
from api.users.service import UserService
from neonblue.settings import Settings

log = structlog.get_logger("api")

_MAINTENANCE_SECONDS = 600.0
_RETRY_SECONDS = 1.0
_READY_LOOK_SECONDS = 0.01
_RELEASE_SECONDS = 60.0


@dataclass(slots=True)
class Services:
    """One process's services."""

    settings: Settings
    pool: Pool
    tokens: Tokens
    origins: TokenOrigins
    registry: Registry
    demand: Demand
    partitions: Partitions
    outbox: OutboxRelease
    pipeline: Pipeline
    shared: SharedCache
    answering: Answering
    events: EventService
    assignments: AssignmentService
    stored: AssignmentReader
    people: PersonReader
    ofrep: OfrepService
    links: LinkService
    experiments: ExperimentService
    access: TokenService
    gate: Gate
    log_in: LogIn
    admission: Admission
    life_cycle: LifeCycle
    forced_variants: ForcedVariantService
    layers: LayerService
    holdouts: HoldoutService
    metrics: MetricCatalogue
    looks: LookService
    ramps: RampService
    users: UserService
    exporter: Exporter
    erasures: ErasureService
    eraser: ErasureWorker
    results: ResultsService
    glances: Glances
    pulses: Pulses
    live_results: LiveResults
    reports: ReportService
    checklist: ChecklistService
    audit_log: AuditLog
    calls: CallLog
    disk: DiskWatch
    pipeline_state: PipelineState
    arrivals: Arrivals | None
    keeper: Keeper = field(default_factory=Keeper)
    prepared: bool = False

    @property
    def parts(self) -> Mapping[type, object]:
        """What endpoints ask for, by its type."""
        held = (self, *(getattr(self, part.name) for part in fields(self)))
        return {type(part): part for part in held}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start background work; on leaving, write what waits and close. PostgreSQL may be away at the start."""
        keep = self.keeper.keep
        keep("disk", self.disk.watch)
        keep("maintenance", self._prepare_and_maintain)
        keep("pipeline", self.pipeline.watch)
        keep("rates", self.pipeline_state.watch)
        keep("outbox", self._release_outbox)
        keep("experiments", self.registry.listen, vital=lambda: not self.registry.loaded)
        keep("erased caches", partial(self.erasures.caches.listen, self.eraser.wake))
        keep("erasures", self.eraser.work)
        keep("audit", self.calls.work)
        keep("evaluations", self.demand.work)
        if self.arrivals is not None:
            keep("arrivals", self.arrivals.tell)
        REFUSALS.told = self.calls.refused
        for queue in self._queues:
            queue.start()
        try:
            yield
        finally:
            await asyncio.gather(*(queue.stop() for queue in self._queues))
            await self.keeper.stop()
            REFUSALS.told = None
            await self.calls.finish()
            await self.demand.finish()
            await self.shared.close()
            self.results.reader.close()
            self.pipeline_state.close()
            await self.pool.close()
            if self.arrivals is not None:
                await asyncio.to_thread(self.arrivals.tracing.stop)

    @property
    def writable(self) -> bool:
        """Whether PostgreSQL takes events and assignments, as far as this process knows without asking."""
        return self.prepared and all(queue.available for queue in self._queues)

    @property
    def ready(self) -> bool:
        """Whether events can be stored and units assigned, as far as this process knows without asking."""
        return self.writable and self.registry.loaded

    async def wait_until_ready(self, seconds: float | None) -> None:
        """Wait until it is ready, at most so long; None: without an end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.ready:  # noqa: ASYNC110 - three parts become so, each by itself
                    await asyncio.sleep(_READY_LOOK_SECONDS)

    @property
    def background_down(self) -> list[str]:
        """Work in the background that is not being done at this moment."""
        return [name for keeper in self._keepers for name in keeper.down]

    @property
    def vital_down(self) -> list[str]:
        """Of that, what storing events and assigning units needs."""
        return [name for keeper in self._keepers for name in keeper.vital_down]

    @property
    def background_hopeless(self) -> list[str]:
        """Work in the background that only a new process can mend."""
        return [name for keeper in self._keepers for name in keeper.hopeless]

    @property
    def _queues(self) -> tuple[GroupCommit[EventJob, EventResult], GroupCommit[AssignmentJob, list[Outcome]]]:
        return (self.events.queue, self.assignments.decider.queue)

    @property
    def _keepers(self) -> tuple[Keeper, ...]:
        return (self.keeper, *(queue.keeper for queue in self._queues))

    async def _prepare_and_maintain(self) -> None:
        while True:
            ready = await _tried(self.partitions.maintain) and await _tried(self._bootstrap)
            self.prepared = self.prepared or ready
            if ready:
                await _tried(self._prune)
            await asyncio.sleep(_MAINTENANCE_SECONDS if ready else _RETRY_SECONDS)

    async def _release_outbox(self) -> None:
        """Apart from the rest: it waits for the stream."""
        while True:
            if self.prepared:
                await _tried(self.outbox.release)
            await asyncio.sleep(_RELEASE_SECONDS if self.prepared else _RETRY_SECONDS)

    async def _bootstrap(self) -> None:
        await self.tokens.bootstrap(self.settings.api.token.get_secret_value())

    async def _prune(self) -> None:
        async with self.pool.connection() as connection:
            await idempotency.prune(connection)
            await prune_evaluations(connection)
            await connection.execute("DELETE FROM heartbeat WHERE beat_at < now() - interval '1 hour'")


async def _tried(work: Callable[[], Awaitable[object]]) -> bool:
    try:
        await work()
    except (psycopg.Error, OSError) as error:
        log.warning("postgres_not_ready", error=type(error).__name__)
        return False
    return True
