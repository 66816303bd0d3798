"""What ClickHouse holds: the same digests and ids, computed the same way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from clickhouse_connect.driver.client import Client

from neonblue.reconciliation.compare import Bucket, Digest

EVENT_ROWS = """
SELECT toString(event_id) AS name, UUIDToNum(event_id) AS bytes, value,
       if(match(name, '^.{14}7.{4}[89ab]'), toDate(UUIDv7ToDateTime(event_id, 'UTC')), toDate(timestamp)) AS day,
       reinterpretAsUInt8(substring(bytes, 16, 1)) AS byte, MD5(bytes) AS hash
FROM events_processed FINAL
WHERE received_at <= {until:DateTime64(6, 'UTC')}
"""
ASSIGNMENT_ROWS = """
SELECT concatWithSeparator('/', experiment_id, unit_type, user_id, variant_key, version) AS name,
       toDecimal64(0, 6) AS value, toDate(assigned_at) AS day,
       reinterpretAsUInt8(substring(hash, 16, 1)) AS byte, MD5(name) AS hash
FROM assignments FINAL
"""
DIGESTS = """
SELECT day, byte, count(), groupBitXor(reinterpretAsInt64(reverse(substring(hash, 1, 8)))), sum(value)
FROM ({}) GROUP BY day, byte
"""
IDS = "SELECT name FROM ({}) WHERE day = {{day:Date}} AND byte IN {{bytes:Array(UInt8)}}"
DEAD_LETTERS = "SELECT error, count() FROM dead_letters FINAL GROUP BY error ORDER BY count() DESC"

_HAS_SET_ASIDE = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'set_aside'"
SET_ASIDE = "SELECT rule, count() FROM set_aside GROUP BY rule ORDER BY rule"


class Present:
    """Reads the deduplicated tables."""

    def __init__(self, client: Client, until: datetime) -> None:
        self._client = client
        self._until = until

    def events(self) -> dict[Bucket, Digest]:
        return self._digests(EVENT_ROWS)

    def assignments(self) -> dict[Bucket, Digest]:
        return self._digests(ASSIGNMENT_ROWS)

    def event_ids(self, buckets: Sequence[Bucket]) -> set[str]:
        return self._ids(EVENT_ROWS, buckets)

    def assignment_ids(self, buckets: Sequence[Bucket]) -> set[str]:
        return self._ids(ASSIGNMENT_ROWS, buckets)

    def dead_letters(self) -> dict[str, int]:
        """Unreadable messages by reason."""
        rows = self._client.query(DEAD_LETTERS).result_rows
        return {str(error): int(count) for error, count in rows}

    def set_aside(self) -> dict[str, int]:
        """Events that no model counts, by rule; none before the first build."""
        if not self._client.query(_HAS_SET_ASIDE).result_rows[0][0]:
            return {}
        return {str(rule): int(count) for rule, count in self._client.query(SET_ASIDE).result_rows}

    def _digests(self, rows: str) -> dict[Bucket, Digest]:
        result = self._client.query(DIGESTS.format(rows), parameters={"until": self._until})
        return {
            Bucket(day, byte): Digest(count, checksum, total)
            for day, byte, count, checksum, total in result.result_rows
        }

    def _ids(self, rows: str, buckets: Sequence[Bucket]) -> set[str]:
        parameters = {
            "day": buckets[0].day,
            "bytes": [bucket.byte for bucket in buckets],
            "until": self._until,
        }
        result = self._client.query(IDS.format(rows), parameters=parameters)
        return {str(name) for (name,) in result.result_rows}
