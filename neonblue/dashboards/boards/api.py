"""What the API answers, how fast, and from where."""

from __future__ import annotations

from grafana_foundation_sdk.models import units

from neonblue.dashboards.model import (
    NONE_IS_GOOD,
    ONE_COLOUR,
    Board,
    Kind,
    Panel,
    Prometheus,
    Row,
)
from neonblue.dashboards.promql import above, mean, quantile, rate, shares

_ASKED_FOR = '{route!~"/(healthz|readyz|metrics)"}'

_ASKED = Row(
    "What is asked, and what is answered",
    (
        Panel(
            "Requests",
            "Requests a second by route, without those that only ask how the API is.",
            (Prometheus(rate(f"neonblue_requests_total{_ASKED_FOR}", "route") + " > 0", "{{route}}"),),
            unit=units.RequestsPerSecond,
            stacked=True,
        ),
        Panel(
            "Answers by status",
            "2xx is well. 4xx: clients ask for what can't be, or too much. 5xx is the platform's fault: ask "
            "which routes, beside.",
            (
                Prometheus(
                    "sum by (class) (label_replace(rate(neonblue_requests_total[$__rate_interval]),"
                    ' "class", "${1}xx", "status", "(.).*"))',
                    "{{class}}",
                ),
            ),
            unit=units.RequestsPerSecond,
            alerts=("ApiErrors", "ApiDown"),
            steps=ONE_COLOUR,
        ),
        Panel(
            "Refusals",
            "Requests a second that were refused or failed, by the problem's code; docs/experiments.md and "
            "the API's page say what each code means.",
            (Prometheus(rate("neonblue_refusals_total", "code"), "{{code}}"),),
            unit=units.RequestsPerSecond,
            alerts=("EventsRefused", "RateLimited"),
            steps=ONE_COLOUR,
            empty="none",
        ),
    ),
)

_TIME = Row(
    "How long it takes",
    (
        Panel(
            "Slowest hundredth by route (p99)",
            "One request in a hundred takes at least so long. Assignments and events should stay below 50 ms "
            "on a quiet machine; results and reports may take longer; the limit is for assignments and events alone.",
            (
                Prometheus(
                    quantile(0.99, "neonblue_request_seconds", "route", _ASKED_FOR),
                    "{{route}}",
                ),
            ),
            unit=units.Seconds,
            alerts=("ApiSlow",),
        ),
        Panel(
            "Middle by route (p50)",
            "Half of the requests take at most so long. Where the middle is as before and the slowest "
            "hundredth is not, few requests wait for a lock or for the disk.",
            (
                Prometheus(
                    quantile(0.5, "neonblue_request_seconds", "route", _ASKED_FOR),
                    "{{route}}",
                ),
            ),
            unit=units.Seconds,
        ),
        Panel(
            "Requests by how long they take",
            "Requests a second that take longer than 8 ms, 64 ms, 512 ms and 2 s.",
            tuple(
                Prometheus(
                    above("neonblue_request_seconds", bound),
                    f"over {shown}",
                )
                for bound, shown in (
                    ("0.008", "8 ms"),
                    ("0.064", "64 ms"),
                    ("0.512", "512 ms"),
                    ("2.0", "2 s"),
                )
            ),
            unit=units.RequestsPerSecond,
        ),
    ),
)

_STORED = Row(
    "What is stored",
    (
        Panel(
            "Items in a commit",
            "How many events or assignments one transaction stores on average: the busier, the more. Near 1 "
            "under load, the group commit does not work.",
            (
                Prometheus(
                    mean("neonblue_commit_items", "queue"),
                    "{{queue}}",
                ),
            ),
            empty="nothing stored",
        ),
        Panel(
            "Commits",
            "Transactions a second by queue.",
            (Prometheus(rate("neonblue_commit_items_count", "queue"), "{{queue}}"),),
            unit=units.OpsPerSecond,
        ),
        Panel(
            "Time of a commit",
            "The slowest hundredth and the middle of the transactions.",
            (
                Prometheus(
                    quantile(0.99, "neonblue_commit_seconds", "queue"),
                    "p99 {{queue}}",
                ),
                Prometheus(
                    quantile(0.5, "neonblue_commit_seconds", "queue"),
                    "p50 {{queue}}",
                ),
            ),
            unit=units.Seconds,
        ),
        Panel(
            "Waiting items",
            "Events and assignments that wait for PostgreSQL.",
            (Prometheus("sum by (queue) (neonblue_queue_items)", "{{queue}}"),),
            width=12,
        ),
        Panel(
            "Waiting bytes",
            "Bytes of those requests. At NEONBLUE_API_MAX_QUEUED_BYTES more are refused.",
            (Prometheus("sum by (queue) (neonblue_queue_bytes)", "{{queue}}"),),
            unit=units.BytesIEC,
            width=12,
            alerts=("QueueGrows",),
        ),
    ),
)

_CACHES = Row(
    "From where it is answered",
    (
        Panel(
            "Assignments by origin",
            "Share of the assignments by where they were found. 'process' and 'valkey' cost microseconds, "
            "'postgres' a transaction: new units, or a cache that is cold. 'not_durable': served while "
            "nothing could be stored.",
            (Prometheus(shares("neonblue_assignments_total", "origin"), "{{origin}}"),),
            unit=units.PercentUnit,
            most=1,
            stacked=True,
            empty="no assignments",
        ),
        Panel(
            "Live results by origin",
            "Share of the looks at live results that were in the cache. 'computed' asks ClickHouse.",
            (Prometheus(shares("neonblue_result_looks_total", "origin"), "{{origin}}"),),
            unit=units.PercentUnit,
            most=1,
            stacked=True,
            empty="nobody looks",
        ),
        Panel(
            "Valkey",
            "Keys found and not found, a second. Without Valkey everything goes on, slower, and without rate "
            "limits.",
            (
                Prometheus(rate("redis_keyspace_hits_total"), "found"),
                Prometheus(rate("redis_keyspace_misses_total"), "not found"),
            ),
            unit=units.OpsPerSecond,
            alerts=("ValkeyDown",),
            steps=ONE_COLOUR,
        ),
    ),
)

_PROCESS = Row(
    "The process, and what it must not lose",
    (
        Panel(
            "Memory",
            "Resident memory of the API and of Valkey.",
            (
                Prometheus('sum(process_resident_memory_bytes{job="api"})', "API"),
                Prometheus("sum(redis_memory_used_bytes)", "Valkey"),
            ),
            unit=units.BytesIEC,
            width=6,
        ),
        Panel(
            "Processor",
            "Cores that the API uses. At 1 for one process it answers as fast as it can.",
            (Prometheus('sum(rate(process_cpu_seconds_total{job="api"}[$__rate_interval]))', "API"),),
            unit=units.NoUnit,
            width=6,
            decimals=2,
        ),
        Panel(
            "Connections to PostgreSQL",
            "Those that are open, and how many it takes.",
            (
                Prometheus("sum(pg_stat_database_numbackends)", "open"),
                Prometheus("max(pg_settings_max_connections)", "at most"),
            ),
            unit=units.NoUnit,
            width=6,
            alerts=("PostgresConnections",),
        ),
        Panel(
            "Work in the background",
            "What must stay 0: work that ended and was begun again within 10 minutes, log lines that could "
            "not be written, calls that wait for the audit log.",
            (
                Prometheus(
                    "sum(increase(neonblue_background_failures_total[10m])) or vector(0)", "work that ended"
                ),
                Prometheus("sum(increase(neonblue_log_lines_dropped_total[10m]))", "log lines lost"),
                Prometheus("sum(neonblue_audit_unwritten_calls)", "calls not in the audit log"),
            ),
            Kind.NUMBER,
            units.NoUnit,
            width=6,
            alerts=("BackgroundWorkFails", "AuditLogBehind", "LogLinesLost"),
            steps=NONE_IS_GOOD,
        ),
    ),
)

API = Board(
    "neonblue-api",
    "NeonBlue: API",
    "What the API is asked, what it answers, how fast, and from where.",
    "1h",
    (_ASKED, _TIME, _STORED, _CACHES, _PROCESS),
)
