"""What parts of the stack are called that several places tell apart from all others."""

from __future__ import annotations

DISK = "disk"
STANDBY = "postgres-standby"
"""Of a deployment by containers alone: whether the standbys are there that PostgreSQL waits for."""
SUPERVISOR = "supervisor"
