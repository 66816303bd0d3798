-- The stream's heartbeats: the connector writes one into PostgreSQL every ten seconds, and it comes here as an event does,
-- by the same slot, worker and consumer, in a topic of its own. The newest one tells how fresh everything else is.
CREATE TABLE IF NOT EXISTS canaries ${ON_CLUSTER}
(
    beat_at DateTime64(6, 'UTC') COMMENT 'When it was committed in PostgreSQL, UTC.',
    ingested_at DateTime64(3, 'UTC') COMMENT 'When it was written here, UTC.'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY beat_at
TTL toDateTime(ingested_at) + INTERVAL 1 DAY
COMMENT 'One row per heartbeat of the stream, of the last day.';

-- Those that a new slot reads from the table were committed long before they were sent: op is r.
CREATE MATERIALIZED VIEW IF NOT EXISTS canaries_mv ${ON_CLUSTER} TO canaries
(
    beat_at DateTime64(6, 'UTC') COMMENT 'When it was committed in PostgreSQL, UTC.',
    ingested_at DateTime64(3, 'UTC') COMMENT 'When it was written here, UTC.'
)
AS
SELECT
    assumeNotNull(beat) AS beat_at,
    ingested_at
FROM (
    SELECT
        parseDateTime64BestEffortOrNull(JSONExtractString(message, 'after', 'beat_at'), 6, 'UTC') AS beat,
        now64(3, 'UTC') AS ingested_at
    FROM raw_events_kafka
    WHERE startsWith(_topic, 'neonblue_heartbeat') AND JSONExtractString(message, 'op') = 'c'
)
WHERE isNotNull(beat)
COMMENT 'Writes the heartbeats of the stream.';
