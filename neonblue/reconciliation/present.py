"""What ClickHouse holds: the same digests and ids, computed the same way."""

from __future__ import annotations

from collections.abc import Sequence

from clickhouse_connect.driver.client import Client

from neonblue.reconciliation.compare import Bucket, Digest, Kind, Span
from neonblue.reconciliation.letters import Letters
from neonblue.reconciliation.letters import read as read_letters

EVENT_ROWS = """
SELECT toString(event_id) AS name, UUIDToNum(event_id) AS bytes, value,
       if(match(name, '^.{14}7.{4}[89ab]'), toDate(UUIDv7ToDateTime(event_id, 'UTC')),
          toDate(timestamp - toIntervalMicrosecond(clock_offset))) AS day,
       reinterpretAsUInt8(substring(bytes, 16, 1)) AS byte, MD5(bytes) AS hash
FROM events_processed FINAL
WHERE (received_at <= {until:DateTime64(6, 'UTC')} OR received_at > {ahead:DateTime64(6, 'UTC')})
"""
NAMED_ROWS = {
    Kind.ASSIGNMENTS: """
SELECT concatWithSeparator('/', experiment_id, unit_type, user_id, variant_key, version) AS name,
       toDate(assigned_at) AS day
FROM assignments FINAL
WHERE (received_at <= {until:DateTime64(6, 'UTC')} OR received_at > {ahead:DateTime64(6, 'UTC')})
""",
    Kind.EXPERIMENTS: """
SELECT concatWithSeparator('/', experiment_id, version, lower(hex(MD5(snapshot)))) AS name, toDate(received_at) AS day
FROM experiments FINAL
WHERE experiment_id NOT IN (
    SELECT experiment_id FROM experiments FINAL GROUP BY experiment_id
    HAVING argMax(status, (version, received_at)) = 'archived' AND countIf(isNotNull(started_at)) = 0
) AND (received_at <= {until:DateTime64(6, 'UTC')} OR received_at > {ahead:DateTime64(6, 'UTC')})
""",
    Kind.LINKS: """
SELECT concatWithSeparator('/', unit_type, anonymous_id, user_id) AS name, toDate(linked_at) AS day
FROM user_links FINAL WHERE (linked_at <= {until:DateTime64(6, 'UTC')} OR linked_at > {ahead:DateTime64(6, 'UTC')})
""",
    Kind.ERASURES: """
SELECT concatWithSeparator('/', unit_type, lower(hex(person)), toUnixTimestamp64Micro(erased_at)) AS name,
       toDate(erased_at) AS day
FROM erased_users FINAL WHERE (erased_at <= {until:DateTime64(6, 'UTC')} OR erased_at > {ahead:DateTime64(6, 'UTC')})
""",
}
NAMED = """
SELECT name, day, toDecimal64(0, 6) AS value, MD5(name) AS hash, reinterpretAsUInt8(substring(hash, 16, 1)) AS byte
FROM ({})
"""
DIGESTS = """
SELECT day, byte, count(), groupBitXor(reinterpretAsInt64(reverse(substring(hash, 1, 8)))), sum(value)
FROM ({}) GROUP BY day, byte
"""
IDS = "SELECT name FROM ({}) WHERE day = {{day:Date}} AND byte IN {{bytes:Array(UInt8)}}"

_HAS_SET_ASIDE = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'set_aside'"
SET_ASIDE = "SELECT rule, count() FROM set_aside GROUP BY rule ORDER BY rule"


class Present:
    """Reads the deduplicated tables."""

    def __init__(self, client: Client, span: Span) -> None:
        self._client = client
        self._span = span

    def digests(self, kind: Kind) -> dict[Bucket, Digest]:
        result = self._client.query(DIGESTS.format(_rows(kind)), parameters=self._span.parameters)
        return {
            Bucket(day, byte): Digest(count, checksum, total)
            for day, byte, count, checksum, total in result.result_rows
        }

    def ids(self, kind: Kind, buckets: Sequence[Bucket]) -> set[str]:
        parameters = {
            "day": buckets[0].day,
            "bytes": [bucket.byte for bucket in buckets],
            **self._span.parameters,
        }
        result = self._client.query(IDS.format(_rows(kind)), parameters=parameters)
        return {str(name) for (name,) in result.result_rows}

    def dead_letters(self) -> Letters:
        """Unreadable messages."""
        return read_letters(self._client)

    def set_aside(self) -> dict[str, int]:
        """Events that no model counts, by rule; none before the first build."""
        if not self._client.query(_HAS_SET_ASIDE).result_rows[0][0]:
            return {}
        return {str(rule): int(count) for rule, count in self._client.query(SET_ASIDE).result_rows}


def _rows(kind: Kind) -> str:
    return EVENT_ROWS if kind is Kind.EVENTS else NAMED.format(NAMED_ROWS[kind])
