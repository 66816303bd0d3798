"""What PostgreSQL accepted: digests and ids, read in one snapshot."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import psycopg

from neonblue.reconciliation.compare import Bucket, Digest, Kind, Span
from neonblue.reconciliation.kept import KeptDays

EVENT_DIGESTS = """
SELECT day, get_byte(uuid_send(id), 15), count(*),
       bit_xor(('x' || substr(md5(uuid_send(id)), 1, 16))::bit(64)::bigint), coalesce(sum(value), 0)
FROM events WHERE (received_at <= %(until)s OR received_at > %(ahead)s) GROUP BY 1, 2
"""
EVENT_IDS = """
SELECT id::text FROM events
WHERE day = %(day)s AND get_byte(uuid_send(id), 15) = ANY(%(bytes)s)
    AND (received_at <= %(until)s OR received_at > %(ahead)s)
"""

NAMED_ROWS = {
    Kind.ASSIGNMENTS: """
SELECT (assigned_at AT TIME ZONE 'UTC')::date AS day,
       concat_ws('/', experiment_id, unit_type, user_id, variant_key, version) AS name,
       experiment_id, unit_type, user_id
FROM assignments
WHERE coalesce(received_at, assigned_at) <= %(until)s OR coalesce(received_at, assigned_at) > %(ahead)s
""",
    Kind.EXPERIMENTS: """
SELECT ((states.snapshot ->> 'received_at')::timestamptz AT TIME ZONE 'UTC')::date AS day,
       concat_ws('/', states.experiment_id, states.version, md5(states.snapshot::text)) AS name,
       states.experiment_id, states.version
FROM experiment_versions AS states JOIN experiments ON experiments.id = states.experiment_id
WHERE NOT (experiments.status = 'archived' AND experiments.started_at IS NULL)
    AND ((states.snapshot ->> 'received_at')::timestamptz <= %(until)s
        OR (states.snapshot ->> 'received_at')::timestamptz > %(ahead)s)
""",
    Kind.LINKS: """
SELECT (linked_at AT TIME ZONE 'UTC')::date AS day, concat_ws('/', unit_type, anonymous_id, user_id) AS name,
       unit_type, anonymous_id
FROM user_links WHERE linked_at <= %(until)s OR linked_at > %(ahead)s
""",
    Kind.ERASURES: """
SELECT (erased_at AT TIME ZONE 'UTC')::date AS day,
       concat_ws('/', unit_type, encode(person, 'hex'), (extract(epoch FROM erased_at) * 1000000)::bigint) AS name
FROM erasures WHERE person IS NOT NULL AND (erased_at <= %(until)s OR erased_at > %(ahead)s)
""",
}
"""Rows that have a name in place of an id. An erasure that is closed has none any more, in neither store. A draft that
is deleted leaves nothing here and is archived there: what is archived and was never started is in neither list. An
assignment that an older version stored was received when it was assigned."""
NAMED_KEYS = {
    Kind.ASSIGNMENTS: "experiment_id, unit_type, user_id",
    Kind.EXPERIMENTS: "experiment_id, version",
    Kind.LINKS: "unit_type, anonymous_id",
}
"""What the rows are found by. An erasure is not: it has no id once nothing is left of the person."""
NAMED_DIGESTS = """
SELECT day, get_byte(decode(md5(name), 'hex'), 15), count(*),
       bit_xor(('x' || substr(md5(name), 1, 16))::bit(64)::bigint), 0
FROM ({}) AS named GROUP BY 1, 2
"""
NAMED_IDS = """
SELECT name FROM ({}) AS named
WHERE day = %(day)s AND get_byte(decode(md5(name), 'hex'), 15) = ANY(%(bytes)s)
"""

NAMED_FOUND = """
SELECT name, {} FROM ({}) AS named
WHERE day = %(day)s AND get_byte(decode(md5(name), 'hex'), 15) = ANY(%(bytes)s)
"""

PARTITIONS = """
SELECT pg_get_expr(child.relpartbound, child.oid)
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'events'::regclass
"""
_RANGE = re.compile(r"FROM \('(\d{4}-\d{2}-\d{2})'\) TO \('(\d{4}-\d{2}-\d{2})'\)")


class Accepted:
    """Reads within one repeatable-read transaction, so that digests and ids are of one moment."""

    def __init__(self, connection: psycopg.Connection, span: Span) -> None:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SET LOCAL jit = off")
        self._connection = connection
        self._span = span

    def digests(self, kind: Kind) -> dict[Bucket, Digest]:
        query = EVENT_DIGESTS if kind is Kind.EVENTS else NAMED_DIGESTS.format(NAMED_ROWS[kind])
        rows = self._connection.execute(query.encode(), self._span.parameters)
        return {
            Bucket(day, byte): Digest(count, checksum, total) for day, byte, count, checksum, total in rows
        }

    def ids(self, kind: Kind, buckets: Sequence[Bucket]) -> set[str]:
        query = EVENT_IDS if kind is Kind.EVENTS else NAMED_IDS.format(NAMED_ROWS[kind])
        return {name for (name,) in self._connection.execute(query.encode(), self._within(buckets))}

    def keys(self, kind: Kind, buckets: Sequence[Bucket], names: Collection[str]) -> list[tuple[Any, ...]]:
        """The keys of these rows, of assignments, experiments' versions or links."""
        query = NAMED_FOUND.format(NAMED_KEYS[kind], NAMED_ROWS[kind])
        rows = self._connection.execute(query.encode(), self._within(buckets))
        return [tuple(key) for name, *key in rows if name in names]

    def _within(self, buckets: Sequence[Bucket]) -> dict[str, Any]:
        days = {"day": buckets[0].day, "bytes": [bucket.byte for bucket in buckets]}
        return days | self._span.parameters

    def kept_days(self, dropped: Collection[date]) -> KeptDays:
        """The days that have a partition, but for those that were dropped once: others were dropped by retention."""
        bounds = (_RANGE.search(bound) for (bound,) in self._connection.execute(PARTITIONS))
        return KeptDays.of(
            ((date.fromisoformat(found[1]), date.fromisoformat(found[2])) for found in bounds if found),
            dropped,
        )
