"""What Prometheus sees."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from api.logs import LINES
from neonblue.tracing import COUNTS


class Tally(Collector):
    """A counter by labels, for one thread: of what each request counts. prometheus_client's own takes a lock for it."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._name, self._documentation, self._labels = name, documentation, tuple(labels)
        self._counts: dict[tuple[str, ...], int] = {}
        REGISTRY.register(self)

    def add(self, *labels: str, count: int = 1) -> None:
        self._counts[labels] = self._counts.get(labels, 0) + count

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, count in list(self._counts.items()):
            family.add_metric(labels, count)
        yield family


class Durations(Collector):
    """A histogram of seconds by route, for one thread: prometheus_client's also looks at every bucket."""

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        self._name, self._documentation, self._bounds = name, documentation, tuple(bounds)
        self._counts: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        REGISTRY.register(self)

    def observe(self, route: str, seconds: float) -> None:
        counts = self._counts.get(route)
        if counts is None:
            counts = self._counts[route] = [0] * (len(self._bounds) + 1)
            self._seconds[route] = 0.0
        counts[bisect_left(self._bounds, seconds)] += 1
        self._seconds[route] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=["route"])
        names = [*(repr(float(bound)) for bound in self._bounds), "+Inf"]
        for route, counts in list(self._counts.items()):
            family.add_metric(
                [route], list(zip(names, accumulate(counts), strict=True)), self._seconds[route]
            )
        yield family


class Reading(Collector):
    """A counter that something else counts."""

    def __init__(self, name: str, documentation: str, read: Callable[[], int]) -> None:
        self._name, self._documentation, self._read = name, documentation, read
        REGISTRY.register(self)

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(self._name, self._documentation, value=self._read())


REQUESTS = Tally("neonblue_requests_total", "Requests by route and status", ["route", "status"])
REQUEST_SECONDS = Durations(
    "neonblue_request_seconds",
    "Time from request to answer",
    (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 5),
)
REFUSALS = Tally(
    "neonblue_refusals_total", "Requests that were refused or failed, by the problem's code", ["code"]
)
EVENTS = Counter("neonblue_events_total", "Events by what became of them", ["status"])
ASSIGNMENTS = Tally(
    "neonblue_assignments_total",
    "Assignments by where they were found; served: their experiment leaves the unit out, or does not run",
    ["origin"],
)
# What is there from the beginning: else the first one would be no increase.
for _code in ("disk_full", "pipeline_behind", "rate_limited", "unavailable"):
    REFUSALS.add(_code, count=0)
for _origin in ("process", "valkey", "postgres", "served"):
    ASSIGNMENTS.add(_origin, count=0)
TARGETING_ERRORS = Counter(
    "neonblue_targeting_errors_total", "Targeting expressions without an answer: not targeted", ["experiment"]
)
CLOCKS = Counter(
    "neonblue_event_clocks_total",
    "Events whose client's clock went wrong: corrected by the measured distance, or too_far to be",
    ["outcome"],
)
CARRIED = Counter(
    "neonblue_carried_assignments_total",
    "Assignments that exposures carried, by what became of them",
    ["outcome"],
)
SHOWN = Tally(
    "neonblue_shown_variants_total",
    "Variants that were shown before they were asked for, against what the unit has",
    ["experiment", "outcome"],
)
UNASSIGNED_EXPOSURES = Tally(
    "neonblue_unassigned_exposures_total",
    "Exposure events of units without an assignment, by what became of them",
    ["experiment", "outcome"],
)
LINKS = Counter(
    "neonblue_links_total", "Experiments of linked anonymous ids, by what became of them", ["outcome"]
)
QUEUE_ITEMS = Gauge("neonblue_queue_items", "Items that wait to be stored", ["queue"])
QUEUE_BYTES = Gauge("neonblue_queue_bytes", "Bytes of the requests that wait to be stored", ["queue"])
QUEUE_LIMIT_BYTES = Gauge(
    "neonblue_queue_limit_bytes", "Bytes that may wait to be stored; what comes beyond is refused", ["queue"]
)
RESULT_LOOKS = Tally(
    "neonblue_result_looks_total", "Live results by where they were found: cache, computed", ["origin"]
)
COMMIT_ITEMS = Histogram(
    "neonblue_commit_items",
    "Items in one transaction",
    ["queue"],
    buckets=(1, 3, 10, 30, 100, 300, 1000, 3000),
)
COMMIT_SECONDS = Histogram(
    "neonblue_commit_seconds",
    "Time of one transaction",
    ["queue"],
    buckets=(0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 1, 5),
)
PIPELINE_LAG_BYTES = Gauge("neonblue_pipeline_lag_bytes", "Log that waits to be streamed")
PIPELINE_LIMIT_BYTES = Gauge(
    "neonblue_pipeline_limit_bytes", "Log that may wait to be streamed; beyond it events are refused"
)
PIPELINE_AGE_SECONDS = Gauge(
    "neonblue_pipeline_age_seconds", "For how long nothing was published that was there to be"
)
SLOT_PRESENT = Gauge("neonblue_replication_slot_present", "1 where the slot exists and is usable")
DISK_FREE_BYTES = Gauge(
    "neonblue_disk_free_bytes", "Room on the disk of the stack's folder, of the fullest where it has several"
)
DISK_WARN_BYTES = Gauge("neonblue_disk_warn_bytes", "Room below which that disk counts as low")
DISK_FREE_FILES = Gauge(
    "neonblue_disk_free_files", "Files (inodes) that disk still takes; +Inf: it sets no limit"
)
DISK_WARN_FILES = Gauge("neonblue_disk_warn_files", "Free files below which that disk counts as low")
DISK_REFUSE_FILES = Gauge("neonblue_disk_refuse_files", "Free files below which no events are taken")
DISK_REFUSE_BYTES = Gauge("neonblue_disk_refuse_bytes", "Room of that disk below which no events are taken")
BACKGROUND_FAILURES = Counter(
    "neonblue_background_failures_total",
    "How often work in the background ended and was begun again",
    ["name"],
)
LOG_LINES_DROPPED = Reading(
    "neonblue_log_lines_dropped_total", "Log lines that could not be written", lambda: LINES.dropped
)
SPANS_SENT = Reading("neonblue_trace_spans_sent_total", "Spans that the collector took", lambda: COUNTS.sent)
SPANS_DROPPED = Reading(
    "neonblue_trace_spans_dropped_total",
    "Spans that were lost: the collector was away, or slower than they came",
    lambda: COUNTS.dropped,
)
EVALUATIONS_LOST = Counter(
    "neonblue_evaluations_lost_total",
    "Answers that are in no count of what keys are asked for: PostgreSQL was away for too long",
)
AUDIT_UNWRITTEN_CALLS = Gauge(
    "neonblue_audit_unwritten_calls", "Summed up calls that could not be written to the audit log yet"
)
AUDIT_LOST_CALLS = Counter(
    "neonblue_audit_lost_calls_total", "Summed up calls that were not in the audit log when the process ended"
)
