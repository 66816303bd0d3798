"""Everything the API is made of, wired once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from api.access.admission import Admission
from api.access.callers import Gate
from api.access.cross_origin import TokenOrigins
from api.access.limits import RateLimits
from api.access.logging_in import LogIn
from api.access.service import TokenService
from api.access.sessions import Sessions
from api.access.tokens import Tokens
from api.answering import Answering, Probe
from api.arrivals import Arrivals
from api.assignments.cache import AssignmentCache, SharedCache
from api.assignments.deciding import Decider
from api.assignments.lookup import Lookup
from api.assignments.person import PersonReader
from api.assignments.service import AssignmentService
from api.assignments.stored import AssignmentReader
from api.assignments.writer import AssignmentJob, AssignmentWriter, Outcome
from api.audit.calls import CallLog
from api.audit_log.service import AuditLog
from api.checklist.service import ChecklistService
from api.demand.service import Demand
from api.disk import DiskWatch
from api.edge.services import Services
from api.erasures.caches import Caches
from api.erasures.model import Terms
from api.erasures.service import ErasureService
from api.erasures.worker import ErasureWorker
from api.evaluation.ofrep import OfrepService
from api.events.service import EventService
from api.events.writer import RECENT_IDS, EventJob, EventResult, EventWriter
from api.experiments.forced import ForcedVariantService
from api.experiments.registry import Registry
from api.experiments.service import ExperimentService
from api.experiments.steps import LifeCycle
from api.experiments.verdicts import LiveResults
from api.holdouts.service import HoldoutService
from api.identity.identify import identifier
from api.layers.service import LayerService
from api.links.service import LinkService
from api.looks.service import LookService
from api.metric_catalogue.service import MetricCatalogue
from api.pipeline import Pipeline
from api.pipeline_state.service import PipelineState
from api.postgres.database import Pool
from api.postgres.group_commit import GroupCommit, GroupLimits
from api.postgres.outbox_release import OutboxRelease
from api.postgres.partitions import Partitions
from api.ramps.service import RampService
from api.recent import RecentMap
from api.results.cache import Looks
from api.results.glances import Glances
from api.results.pulses import Pulses
from api.results.report_service import ReportService
from api.results.repository import ResultsReader
from api.results.service import ResultsService
from api.users.export import Exporter
from api.users.service import UserService
from neonblue.settings import Settings

if TYPE_CHECKING:
    from neonblue.tracing.tracer import Tracing

_POOL_SIZE = 6


def create_services(settings: Settings) -> Services:
    """Wire everything; nothing is connected yet."""
    api, dsn = settings.api, settings.postgres.dsn()
    tracing = _tracing(settings)
    pool = Pool(dsn, _POOL_SIZE)
    disk = DiskWatch(settings.data_dir, settings.disk)
    registry = Registry(dsn, pool)
    demand = Demand(pool, disk)
    partitions = Partitions(pool, api.max_event_age_days + 1)
    cache = AssignmentCache(api.assignment_cache_entries)
    valkey = Redis(connection_pool=_valkey_pool(settings))
    shared = SharedCache(valkey)
    tokens = Tokens(pool, api.token_cache_seconds, api.wrong_tokens_per_minute)
    origins = TokenOrigins(pool, api.token_cache_seconds)
    limits = GroupLimits(
        api.group_commit_milliseconds / 1000,
        api.group_commit_connections,
        api.group_commit_items,
        api.max_queued_bytes,
    )
    ahead = timedelta(seconds=api.max_future_seconds)
    event_writer = EventWriter(
        dsn,
        partitions,
        cache,
        api.outbox_batches,
        RecentMap(RECENT_IDS),
        registry.find,
        registry.load,
        demand.counts,
    )
    assignment_writer = AssignmentWriter(dsn, partitions, cache, api.outbox_batches)
    event_queue: GroupCommit[EventJob, EventResult] = GroupCommit(
        "events", event_writer.open, event_writer.write, limits, tracing=tracing
    )
    assignment_queue: GroupCommit[AssignmentJob, list[Outcome]] = GroupCommit(
        "assignments", assignment_writer.open, assignment_writer.write, limits, tracing=tracing
    )
    experiments = ExperimentService(pool, registry)
    reader = ResultsReader(settings.clickhouse)
    decider = Decider(assignment_queue, registry, cache, shared, Lookup(pool), ahead, disk)
    identify = identifier(api.user_id_hash_key.get_secret_value())
    caches = Caches(dsn, pool, registry, cache, shared, decider)
    terms = Terms(
        timedelta(seconds=api.erasure_settle_seconds),
        timedelta(days=api.outbox_retention_days),
        timedelta(hours=settings.kafka.retention_hours),
    )
    looks = LookService(pool)
    assignments = AssignmentService(decider, registry, cache, ahead, identify, demand.counts)
    results = ResultsService(reader, experiments, looks, Looks(api.results_cache_seconds))
    glances = Glances(results)
    admission = Admission(
        RateLimits(settings.valkey.dsn, api.rate_limit_per_second, api.rate_limit_when_unavailable),
        RateLimits(
            settings.valkey.dsn, api.visitor_limit_per_second, api.rate_limit_when_unavailable, "visitor"
        ),
    )
    sessions = Sessions(valkey, api.session_idle_seconds, api.session_absolute_seconds)
    gate = Gate(tokens, sessions, admission)
    pipeline = Pipeline(pool, settings.connect.slot, api.max_pipeline_lag_bytes)
    answering = Answering(Probe(pool.answers), Probe(shared.ping))
    return Services(
        settings,
        pool,
        tokens,
        origins,
        registry,
        demand,
        partitions,
        OutboxRelease(pool, settings.connect.slot, api.outbox_retention_days),
        pipeline,
        shared,
        answering,
        EventService(event_queue, registry, timedelta(days=api.max_event_age_days), ahead, identify),
        assignments,
        AssignmentReader(pool, identify),
        PersonReader(pool, registry, assignments, identify),
        OfrepService(assignments),
        LinkService(pool, api.outbox_batches, identify),
        experiments,
        TokenService(pool, tokens, origins),
        gate,
        LogIn(gate, pool),
        admission,
        LifeCycle(pool, registry, demand),
        ForcedVariantService(pool, registry, identify),
        LayerService(pool),
        HoldoutService(pool, registry),
        MetricCatalogue(pool),
        looks,
        RampService(pool, registry),
        UserService(pool, identify),
        Exporter(dsn, pool, identify),
        ErasureService(settings, pool, identify, caches, terms),
        ErasureWorker(pool, settings.clickhouse, caches, terms),
        results,
        glances,
        Pulses(experiments, glances, api.results_cache_seconds),
        LiveResults(results.live),
        ReportService(settings, reader, experiments),
        ChecklistService(pool, registry, reader, results),
        AuditLog(pool, identify),
        CallLog(pool, api.audit_summary_seconds),
        disk,
        PipelineState(
            settings,
            pool,
            pipeline,
            answering,
            disk,
            lambda: event_queue.available and assignment_queue.available,
        ),
        None if tracing is None else Arrivals(settings.clickhouse, tracing),
    )


def _tracing(settings: Settings) -> Tracing | None:
    """OpenTelemetry is loaded where traces are wanted, and only there."""
    if settings.traces.address is None:
        return None
    from neonblue.tracing.tracer import tracing_of

    return tracing_of(settings.traces, "api")


def _valkey_pool(settings: Settings) -> BlockingConnectionPool:
    """Callers wait for a free connection; how long, they bound. One that Valkey's restart ended is made anew."""
    return BlockingConnectionPool.from_url(
        settings.valkey.dsn,
        socket_connect_timeout=0.5,
        max_connections=16,
        timeout=1,
        retry=Retry(NoBackoff(), 1),
    )
