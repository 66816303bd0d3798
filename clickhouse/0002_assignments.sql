-- One row per experiment and unit: the variant the unit was given first, and keeps.
CREATE TABLE IF NOT EXISTS assignments ${ON_CLUSTER}
(
    experiment_id UInt32 CODEC(ZSTD(3)),
    unit_type LowCardinality(String) CODEC(ZSTD(3)),
    user_id String CODEC(ZSTD(3)),
    variant_key LowCardinality(String) CODEC(ZSTD(3)),
    version UInt32 COMMENT 'Of the configuration the unit entered under' CODEC(ZSTD(3)),
    assigned_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(3)),
    attributes String COMMENT 'A JSON object, as it was at the assignment, or empty' CODEC(ZSTD(3)),
    received_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(3)),
    ingested_at DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(3)),
    _partition UInt32 CODEC(ZSTD(3)),
    _offset UInt64 CODEC(Delta(8), ZSTD(3))
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (experiment_id, unit_type, user_id, variant_key, version);
