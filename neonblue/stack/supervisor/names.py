"""What the stack's services and steps are called, without what they are made of."""

from __future__ import annotations

SERVICES = (
    "postgres",
    "valkey",
    "kafka",
    "connect",
    "clickhouse",
    "api",
    "dagster-code",
    "dagster-daemon",
    "dagster",
)
MONITORING = ("exporter", "postgres-exporter", "valkey-exporter", "alertmanager", "prometheus")
"""What watches the services, where that is asked for."""
DISK = "disk"
STANDBY = "postgres-standby"
"""Of a deployment by containers alone: whether the standbys are there that PostgreSQL waits for."""
STEPS = ("jars", "postgres-schema", "topics", "clickhouse-schema", "connector", "stream-repair", DISK)
"""Work between the services' starts. A step has no log of its own: what becomes of it is in the supervisor's."""
SUPERVISOR = "supervisor"
LOGS = (*SERVICES, *MONITORING, SUPERVISOR, "up")
"""Those that have a log. ``up`` is what ``neonblue up --detach`` said."""
