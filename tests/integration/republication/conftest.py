"""PostgreSQL, the API and ClickHouse; the tests carry the outbox."""

from __future__ import annotations

from tests.integration.api.people.conftest import place, warehouse

__all__ = ["place", "warehouse"]
