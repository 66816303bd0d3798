"""What Prometheus sees."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("neonblue_requests_total", "Requests by route and status", ["route", "status"])
REQUEST_SECONDS = Histogram(
    "neonblue_request_seconds",
    "Time from request to answer",
    ["route"],
    buckets=(0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 5),
)
EVENTS = Counter("neonblue_events_total", "Events by what became of them", ["status"])
ASSIGNMENTS = Counter("neonblue_assignments_total", "Assignments by where they were found", ["origin"])
TARGETING_ERRORS = Counter(
    "neonblue_targeting_errors_total", "Targeting expressions without an answer: not targeted", ["experiment"]
)
CARRIED = Counter(
    "neonblue_carried_assignments_total",
    "Assignments that exposures carried, by what became of them",
    ["outcome"],
)
LINKS = Counter(
    "neonblue_links_total", "Experiments of linked anonymous ids, by what became of them", ["outcome"]
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
PIPELINE_LAG_BYTES = Gauge("neonblue_pipeline_lag_bytes", "Log that the replication slot retains")
SLOT_PRESENT = Gauge("neonblue_replication_slot_present", "1 where the slot exists and is usable")
