-- One row per erasure: what was received about this unit before erased_at is left out of every model.
CREATE TABLE IF NOT EXISTS erased_users ${ON_CLUSTER}
(
    unit_type LowCardinality(String),
    user_id String,
    erased_at DateTime64(6, 'UTC'),
    received_at DateTime64(6, 'UTC'),
    ingested_at DateTime64(3, 'UTC'),
    _partition UInt32,
    _offset UInt64
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (unit_type, user_id, erased_at);
