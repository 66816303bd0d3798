-- One row per change of an experiment, whole; the newest is the one with the greatest (version, received_at).
CREATE TABLE IF NOT EXISTS experiments ${ON_CLUSTER}
(
    experiment_id UInt32,
    version UInt32,
    key String,
    name String,
    source LowCardinality(String) COMMENT 'internal or external',
    unit_type LowCardinality(String),
    population LowCardinality(String) COMMENT 'exposed or assigned',
    status LowCardinality(String) COMMENT 'draft, running or concluded',
    snapshot String COMMENT 'The message itself: variants and metric definitions as JSON' CODEC(ZSTD(3)),
    started_at Nullable(DateTime64(6, 'UTC')),
    concluded_at Nullable(DateTime64(6, 'UTC')),
    received_at DateTime64(6, 'UTC'),
    ingested_at DateTime64(3, 'UTC'),
    _partition UInt32,
    _offset UInt64
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (experiment_id, version, received_at);
