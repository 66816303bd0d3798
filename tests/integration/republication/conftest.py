"""PostgreSQL, the API and ClickHouse; the tests carry the outbox."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.integration.api.people.conftest import Place, place, warehouse

__all__ = ["place", "slot", "warehouse"]


@pytest.fixture
def slot(place: Place) -> Iterator[None]:
    """Of the connector that the tests stand in for."""
    name = place.settings.connect.slot
    with psycopg.connect(place.settings.postgres.dsn(), autocommit=True) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
        try:
            yield
        finally:
            connection.execute("SELECT pg_drop_replication_slot(%s)", (name,))
