-- The last days' events by day and experiment, for the live views: a day that is still open is read from here, without
-- touching the months. What was consumed before this view existed is in the next build. A replay changes nothing: the
-- key holds the same immutable fields as events_processed.
CREATE TABLE IF NOT EXISTS recent_events ${ON_CLUSTER}
(
    event_id UUID CODEC(ZSTD(1)),
    experiment_id UInt32 CODEC(ZSTD(1)),
    user_id String CODEC(ZSTD(1)),
    unit_type LowCardinality(String) CODEC(ZSTD(1)),
    event_type LowCardinality(String) CODEC(ZSTD(1)),
    timestamp DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    value Decimal(18, 6) CODEC(ZSTD(1)),
    properties String CODEC(ZSTD(1)),
    is_conversion Bool CODEC(ZSTD(1)),
    received_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1))
)
ENGINE = ${REPLICATED}ReplacingMergeTree
PARTITION BY toDate(timestamp)
ORDER BY (experiment_id, user_id, timestamp, event_id)
TTL toDateTime(timestamp) + INTERVAL 9 DAY
SETTINGS ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS recent_events_mv ${ON_CLUSTER} TO recent_events AS
SELECT
    event_id,
    experiment_id,
    user_id,
    unit_type,
    event_type,
    timestamp,
    value,
    properties,
    is_conversion,
    timestamp + toIntervalMicrosecond(received_delay) AS received_at
FROM events_processed
WHERE timestamp >= now() - INTERVAL 8 DAY;
