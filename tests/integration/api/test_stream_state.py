"""What holds events back while nothing reads the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from api.http.problems import Problem
from api.pipeline import BEHIND_SECONDS, Pipeline
from api.postgres.database import Pool
from tests.integration.api.conftest import Server
from tests.integration.api.test_durability import query

SLOT = "state_test"
FILLER = "SELECT pg_logical_emit_message(false, 'filler', repeat('x', 3000000), true)"
PARTITION = """
DO $$ BEGIN EXECUTE format(
    'CREATE TABLE IF NOT EXISTS outbox_events_%%s PARTITION OF outbox_events FOR VALUES FROM (%%L) TO (%%L)',
    to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'), (now() AT TIME ZONE 'UTC')::date,
    (now() AT TIME ZONE 'UTC')::date + 1
); END $$
"""
OUTBOX = """
INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
SELECT 'event', 'a', 'EVENT_CREATED', to_jsonb(string_agg(md5(n::text), '')) FROM generate_series(1, 100000) AS n
"""


@pytest.fixture
def server(postgres: Server) -> Iterator[Server]:
    query(postgres, PARTITION)
    yield postgres
    query(
        postgres,
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'state_test'",
    )


def test_without_a_slot_what_waits_is_counted_all_the_same(server: Server) -> None:
    async def course() -> None:
        pool = Pool(server.dsn, 1)
        pipeline = Pipeline(pool, SLOT, 2_500_000)
        try:
            await pipeline.look()
            before = pipeline.lag_bytes
            query(server, OUTBOX)
            await pipeline.look()
            # A process that has never seen the slot goes by the outbox.
            assert pipeline.lag_bytes - before > 1_000_000
            assert not pipeline.slot_present

            query(server, f"SELECT pg_create_logical_replication_slot('{SLOT}', 'pgoutput')")
            await pipeline.look()
            assert pipeline.slot_present
            assert pipeline.lag_bytes < 1_000_000
            pipeline.admit()

            query(server, f"SELECT pg_drop_replication_slot('{SLOT}')")
            query(server, FILLER)
            await pipeline.look()
            # One that has seen it knows what it had confirmed.
            assert pipeline.lag_bytes >= 3_000_000
            with pytest.raises(Problem) as refused:
                pipeline.admit()
            assert refused.value.status == 429
        finally:
            await pool.close()

    asyncio.run(course())


def test_the_state_says_for_how_long_nothing_was_published(server: Server) -> None:
    pipeline = Pipeline(Pool(server.dsn, 1), SLOT, 1)
    assert pipeline.state == "ok"
    pipeline.age_seconds = BEHIND_SECONDS + 4.2
    assert pipeline.state == "behind: nothing published for 34 s"
