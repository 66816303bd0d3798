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
REQUESTS = Counter("neonblue_requests", "HTTP requests by route and status", ["route", "status"])
REQUEST_SECONDS = Histogram(
    "neonblue_request_seconds", "Time to answer a request", ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)  # fmt: skip
PIPELINE_LAG_BYTES = Gauge("neonblue_pipeline_lag_bytes", "WAL that the replication slot retains")
SLOT_PRESENT = Gauge("neonblue_slot_present", "Whether the replication slot is there and intact")
