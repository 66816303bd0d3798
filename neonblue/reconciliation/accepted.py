"""What PostgreSQL accepted: digests and ids, read in one snapshot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import psycopg

from neonblue.reconciliation.compare import Bucket, Digest

EVENT_DIGESTS = """
SELECT day, get_byte(uuid_send(id), 15), count(*),
       bit_xor(('x' || substr(md5(uuid_send(id)), 1, 16))::bit(64)::bigint), coalesce(sum(value), 0)
FROM events WHERE received_at <= %(until)s GROUP BY 1, 2
"""
EVENT_IDS = """
SELECT id::text FROM events
WHERE day = %(day)s AND get_byte(uuid_send(id), 15) = ANY(%(bytes)s) AND received_at <= %(until)s
"""

ASSIGNMENT_ROWS = """
SELECT (assigned_at AT TIME ZONE 'UTC')::date AS day,
       concat_ws('/', experiment_id, unit_type, user_id, variant_key, version) AS name
FROM assignments
"""
ASSIGNMENT_DIGESTS = f"""
SELECT day, get_byte(decode(md5(name), 'hex'), 15), count(*),
       bit_xor(('x' || substr(md5(name), 1, 16))::bit(64)::bigint), 0
FROM ({ASSIGNMENT_ROWS}) AS named GROUP BY 1, 2
"""  # noqa: S608 - both parts are constants
ASSIGNMENT_IDS = f"""
SELECT name FROM ({ASSIGNMENT_ROWS}) AS named
WHERE day = %(day)s AND get_byte(decode(md5(name), 'hex'), 15) = ANY(%(bytes)s)
"""  # noqa: S608

PARTITIONS = """
SELECT pg_get_expr(child.relpartbound, child.oid)
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'events'::regclass
"""
_RANGE = re.compile(r"FROM \('(\d{4}-\d{2}-\d{2})'\) TO \('(\d{4}-\d{2}-\d{2})'\)")


class Accepted:
    """Reads within one repeatable-read transaction, so that digests and ids are of one moment."""

    def __init__(self, connection: psycopg.Connection, until: datetime) -> None:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SET LOCAL jit = off")
        self._connection = connection
        self._until = until

    def events(self) -> dict[Bucket, Digest]:
        return self._digests(EVENT_DIGESTS)

    def assignments(self) -> dict[Bucket, Digest]:
        return self._digests(ASSIGNMENT_DIGESTS)

    def event_ids(self, buckets: Sequence[Bucket]) -> set[str]:
        return self._ids(EVENT_IDS, buckets)

    def assignment_ids(self, buckets: Sequence[Bucket]) -> set[str]:
        return self._ids(ASSIGNMENT_IDS, buckets)

    def kept_days(self) -> set[date]:
        """The days that have a partition: what is older was dropped by retention."""
        days: set[date] = set()
        for (bound,) in self._connection.execute(PARTITIONS):
            found = _RANGE.search(bound)
            if found:
                first, end = map(date.fromisoformat, found.groups())
                days.update(first + timedelta(days=more) for more in range((end - first).days))
        return days

    def _digests(self, query: str) -> dict[Bucket, Digest]:
        rows = self._connection.execute(query, {"until": self._until})
        return {
            Bucket(day, byte): Digest(count, checksum, total) for day, byte, count, checksum, total in rows
        }

    def _ids(self, query: str, buckets: Sequence[Bucket]) -> set[str]:
        parameters = {
            "day": buckets[0].day,
            "bytes": [bucket.byte for bucket in buckets],
            "until": self._until,
        }
        return {name for (name,) in self._connection.execute(query, parameters)}
