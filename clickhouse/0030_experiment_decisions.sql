-- One row per run and experiment: what the results lead to, in words, never changed afterwards.
CREATE TABLE IF NOT EXISTS experiment_decisions ${ON_CLUSTER}
(
    run_id String,
    computed_at DateTime64(3, 'UTC'),
    experiment_id UInt32,
    experiment_key String,
    configuration_version UInt32,
    action LowCardinality(String) COMMENT 'ship, roll_back, keep_running, inconclusive or invalid',
    variant_key LowCardinality(String) COMMENT 'The arm to ship or to roll back, or empty',
    sentence String,
    broken Array(String) COMMENT 'Names of the failed checks that make the results unusable',
    days_left Nullable(Float64),
    units UInt64,
    planned_units Nullable(UInt64),
    watermark Nullable(DateTime64(6, 'UTC')) COMMENT 'Everything received up to here is in the numbers',
    code_version LowCardinality(String)
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (experiment_id, computed_at, run_id);
