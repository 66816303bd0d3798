"""A page costs what its rows cost: it is read by the key, without sorting or reading the rest of the table."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import psycopg
import pytest
from clickhouse_connect.driver.client import Client

from api.migrations import upgrade
from neonblue.reconciliation.compare import Kind
from neonblue.republication.pace import Pace
from neonblue.republication.publisher import Publisher, Range
from neonblue.republication.stored import PAGE_ROWS
from tests.integration.api.conftest import running_postgres

ALL = Range(datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
DAY = datetime.now(UTC).date() - timedelta(days=1)
EVENTS, PEOPLE = 30_000, 20_000
SLOT = "slot_of_this_test"
_PARTITIONS = """
CREATE TABLE events_plans PARTITION OF events FOR VALUES FROM ('{0}') TO ('{1}');
CREATE TABLE outbox_plans PARTITION OF outbox_events FOR VALUES FROM ('{0}') TO ('{2}')
"""
_FILL = (
    f"""
INSERT INTO events SELECT %(day)s, gen_random_uuid(), %(day)s, now(), 1, 'u' || n, 'user', 'page_view', 'a', 's' || n,
    1.5, '{{"page": "/checkout", "device": "mobile", "plan": "pro"}}'
FROM generate_series(1, {EVENTS}) AS n
""",
    f"""
INSERT INTO assignments SELECT n %% 7 + 1, 1, %(day)s, NULL, 'user', md5(n::text), 'a', now()
FROM generate_series(1, {PEOPLE}) AS n
""",
    f"""
INSERT INTO user_links (unit_type, anonymous_id, user_id, linked_at) SELECT 'user', md5(n::text), 'u' || n, %(day)s
FROM generate_series(1, {PEOPLE}) AS n
""",
)


class Explaining(psycopg.Cursor[tuple[Any, ...]]):
    """Notes how each query is carried out that has values: with these, and with any."""

    def execute(self, query: Any, params: Any = None, **how: Any) -> Any:
        if isinstance(query, bytes) and params is not None:
            first, *others = query.split(b"%s")
            numbered = first + b"".join(b"$%d%s" % (n, part) for n, part in enumerate(others, 1))
            self._note(b"EXPLAIN " + query, params)
            self._note(b"EXPLAIN (GENERIC_PLAN) " + numbered, None)
        return super().execute(query, params, **how)

    def _note(self, query: bytes, params: Any) -> None:
        assert isinstance(self.connection, Explained)
        plan = super().execute(query, params, prepare=False).fetchall()
        self.connection.plans.append("\n".join(line[:200] for (line,) in plan))


class Explained(psycopg.Connection[tuple[Any, ...]]):
    """plans: what its cursors have noted."""

    plans: list[str]


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="neonblue-plans-"))
    folder.chmod(0o755)
    try:
        with running_postgres(folder) as (_, server):
            upgrade(server.dsn)
            with psycopg.connect(server.dsn, autocommit=True) as connection:
                connection.execute("SET TIME ZONE 'UTC'")
                ends = DAY + timedelta(days=1), DAY + timedelta(days=9)
                connection.execute(_PARTITIONS.format(DAY, *ends).encode())
                for statement in _FILL:
                    connection.execute(statement.encode(), {"day": DAY})
                connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (SLOT,))
            yield server.dsn
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["without statistics", "with statistics"])
def connection(dsn: str, request: pytest.FixtureRequest) -> Iterator[Explained]:
    with Explained.connect(dsn, autocommit=True, cursor_factory=Explaining) as opened:
        opened.plans = []
        if request.param == "with statistics":
            opened.execute("ANALYZE")
        yield opened


def test_no_page_is_sorted_and_no_table_read_whole(connection: Explained) -> None:
    publisher = Publisher(
        connection, cast("Client", None), Pace(connection, SLOT, 1 << 40), True, lambda _: None
    )

    whole = publisher.events_of_day(DAY, ALL, lambda _: None)
    links = publisher.rows(Kind.LINKS, ALL, lambda _: None)
    assignments = publisher.assignments(ALL, lambda _: None)
    publisher.rows(Kind.EXPERIMENTS, ALL, lambda _: None)
    ids = [str(uuid4()) for _ in range(PAGE_ROWS[Kind.EVENTS])]
    publisher.found_events(DAY, ids)
    publisher.found_rows(Kind.ASSIGNMENTS, [(1, "user", one) for one in ids])
    publisher.found_rows(Kind.LINKS, [("user", one) for one in ids])
    publisher.found_rows(Kind.EXPERIMENTS, [(1, n) for n in range(100)])

    assert (whole, links, assignments) == (EVENTS, PEOPLE, (PEOPLE, 0))
    assert len(connection.plans) > 2 * (EVENTS + 2 * PEOPLE) / PAGE_ROWS[Kind.EVENTS]
    wasteful = [plan for plan in connection.plans if re.search("Sort|Seq Scan", plan)]
    assert not wasteful, wasteful[0]
