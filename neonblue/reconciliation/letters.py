"""Messages that could not be read, and whether the rows that they tell of are present all the same.

A letter is what was unreadable: an element of a batch, a payload, or the whole message. It is resolved when each row
that it names has come by another message: published again after what made it unreadable was mended.
"""

from __future__ import annotations

from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

# An element has its id in a field of its own; in a batch or a whole message, whatever looks like one counts.
_LETTERS = r"""
WITH
    letters AS (
        SELECT
            error,
            message,
            JSONExtract(message, 'Tuple(id Nullable(String), experiment_id Nullable(UInt32), version Nullable(UInt32),
                unit_type Nullable(String), user_id Nullable(String), anonymous_id Nullable(String),
                erased_at Nullable(String), assigned_at Nullable(String), received_at Nullable(String))') AS fields,
            if(
                isNull(fields.id),
                extractAll(
                    message,
                    '\\\\*"id\\\\*"\\s*:\\s*\\\\*"([0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})\\\\*"'
                ),
                [assumeNotNull(fields.id)]
            ) AS ids,
            ifNull(fields.unit_type, 'user') AS unit_type,
            ifNull(fields.user_id, '') AS user_id
        FROM dead_letters FINAL
    ),
    events AS (
        SELECT event_id FROM events_processed
        WHERE event_id IN (SELECT toUUIDOrZero(arrayJoin(ids)) FROM letters)
    )
SELECT
    error,
    count() AS number,
    countIf(multiIf(
        notEmpty(ids), hasAll(
            (SELECT groupUniqArray(event_id) FROM events), arrayMap(id -> toUUIDOrZero(id), ids)
        ),
        isNotNull(fields.anonymous_id), (unit_type, assumeNotNull(fields.anonymous_id), user_id) IN (
            SELECT unit_type, anonymous_id, user_id FROM user_links
        ),
        isNotNull(fields.erased_at), SHA256(concat(unit_type, '\0', user_id)) IN (
            SELECT person FROM erased_users
        ),
        isNotNull(fields.assigned_at), (ifNull(fields.experiment_id, 0), unit_type, user_id) IN (
            SELECT experiment_id, unit_type, user_id FROM assignments
        ),
        isNotNull(fields.version), (
            ifNull(fields.experiment_id, 0), ifNull(fields.version, 0),
            ifNull(parseDateTime64BestEffortOrNull(fields.received_at, 6, 'UTC'), toDateTime64(0, 6, 'UTC'))
        ) IN (
            SELECT experiment_id, version, received_at FROM experiments
        ),
        false
    )) AS resolved
FROM letters GROUP BY error ORDER BY number DESC
"""


@dataclass(frozen=True, slots=True)
class Letters:
    """unresolved: their number by reason. resolved: the others."""

    unresolved: dict[str, int]
    resolved: int


def read(client: Client) -> Letters:
    """All that are kept."""
    if not client.query("SELECT count() FROM dead_letters").result_rows[0][0]:
        return Letters({}, 0)
    rows = [
        (str(error), int(number), int(resolved))
        for error, number, resolved in client.query(_LETTERS).result_rows
    ]
    return Letters(
        {error: number - resolved for error, number, resolved in rows if number > resolved},
        sum(resolved for _, _, resolved in rows),
    )
