-- One row per published result of an experiment, whole: what was computed, from what, with what. Never changed afterwards.
CREATE TABLE IF NOT EXISTS result_snapshots ${ON_CLUSTER}
(
    snapshot_id String,
    experiment_id UInt32,
    experiment_key String,
    computed_at DateTime64(3, 'UTC'),
    watermark Nullable(DateTime64(6, 'UTC')) COMMENT 'Everything received up to here is in the numbers',
    run_id String COMMENT 'Of the run that published it',
    configuration_version UInt32,
    code_version LowCardinality(String),
    metric_versions String COMMENT 'JSON object: metric key to its version',
    offsets String COMMENT 'JSON object: partition to the smallest offset that every view has reached',
    configuration String COMMENT 'JSON: the experiment message' CODEC(ZSTD(3)),
    moments String COMMENT 'JSON array: the sums per metric and variant' CODEC(ZSTD(3)),
    units String COMMENT 'JSON array: units per configuration version and variant' CODEC(ZSTD(3)),
    results String COMMENT 'JSON: the answer as it was published' CODEC(ZSTD(3))
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (experiment_id, computed_at, snapshot_id);
