-- One row per accepted event. The sorting key holds immutable fields only, so a copy of a message (a retry, a replay of
-- the topic) collapses into the row it repeats: read with final = 1.
--
-- Sorted by user and time: a user's rows compress against each other (ids, sessions, times), a journey is read in order,
-- and the analysis joins by user. received_at and ingested_at are kept as the small distance from the time before them,
-- which takes half the bytes of a second and third absolute time.
CREATE TABLE IF NOT EXISTS events_processed ${ON_CLUSTER}
(
    event_id UUID CODEC(ZSTD(3)),
    experiment_id UInt32 COMMENT '0: the event names no experiment' CODEC(ZSTD(3)),
    user_id String CODEC(ZSTD(3)),
    unit_type LowCardinality(String) CODEC(ZSTD(3)),
    event_type LowCardinality(String) CODEC(ZSTD(3)),
    variant_key LowCardinality(String) COMMENT 'As stamped by the API, for reading; the analysis joins assignments' CODEC(ZSTD(3)),
    session_id String COMMENT 'Empty: none' CODEC(ZSTD(3)),
    timestamp DateTime64(6, 'UTC') CODEC(Delta(8), T64('bit'), ZSTD(1)),
    value Decimal(18, 6) COMMENT '0 where absent' CODEC(ZSTD(3)),
    properties String COMMENT 'A JSON object, or empty' CODEC(ZSTD(3)),
    received_delay Int64 COMMENT 'Microseconds from timestamp to received_at' CODEC(T64, ZSTD(3)),
    ingested_delay Int64 COMMENT 'Milliseconds from received_at to ingested_at' CODEC(T64, ZSTD(3)),
    _partition UInt32 COMMENT 'Of the topic' CODEC(ZSTD(3)),
    _offset UInt64 CODEC(Delta(8), ZSTD(3)),
    event_date Date MATERIALIZED toDate(timestamp) CODEC(Delta(2), ZSTD(3)),
    is_conversion Bool MATERIALIZED event_type IN ('conversion', 'purchase', 'signup', 'subscription')
    COMMENT 'The event types that count as a conversion wherever no metric says otherwise' CODEC(ZSTD(3)),
    is_click Bool MATERIALIZED event_type = 'click' CODEC(ZSTD(3)),
    page LowCardinality(String) MATERIALIZED JSONExtractString(properties, 'page')
    COMMENT 'The property page, or empty' CODEC(ZSTD(3)),
    received_at DateTime64(6, 'UTC') ALIAS timestamp + toIntervalMicrosecond(received_delay)
    COMMENT 'When the API took it',
    ingested_at DateTime64(3, 'UTC') ALIAS toDateTime64(received_at, 3, 'UTC') + toIntervalMillisecond(ingested_delay)
    COMMENT 'When this copy of it was written here'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (user_id, timestamp, event_id);
