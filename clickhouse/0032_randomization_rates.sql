-- One row per run and metric: how often a test of two arms drawn at random from real history gave p < 0.05.
CREATE TABLE IF NOT EXISTS randomization_rates ${ON_CLUSTER}
(
    run_id String,
    computed_at DateTime64(3, 'UTC'),
    experiment_id UInt32,
    experiment_key String,
    metric_key String,
    metric_version UInt32,
    metric_type LowCardinality(String),
    units UInt64 COMMENT 'Units whose values were divided',
    repetitions UInt32,
    seed UInt64,
    rate Nullable(Float64) COMMENT 'Share of the repetitions with p < 0.05',
    lower Nullable(Float64) COMMENT 'Exact binomial bounds of the rate',
    upper Nullable(Float64),
    level Float64 COMMENT 'Of the bounds',
    calibrated Nullable(Bool) COMMENT 'Whether the bounds reach 4 to 6 %',
    status_reason String COMMENT 'Why there is no rate, or empty',
    code_version LowCardinality(String)
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (experiment_id, metric_key, metric_version, computed_at, run_id);
