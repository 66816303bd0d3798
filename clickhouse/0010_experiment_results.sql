-- One row per run, experiment, metric and treatment variant: what the significance tests found, never changed afterwards.
CREATE TABLE IF NOT EXISTS experiment_results ${ON_CLUSTER}
(
    run_id String,
    computed_at DateTime64(3, 'UTC'),
    experiment_id UInt32,
    experiment_key String,
    metric_key String,
    metric_version UInt32,
    control_variant LowCardinality(String),
    variant_key LowCardinality(String),
    n_control UInt64,
    n_variant UInt64,
    mean_control Nullable(Float64),
    mean_variant Nullable(Float64),
    difference Nullable(Float64) COMMENT 'mean_variant - mean_control',
    ci_low Nullable(Float64) COMMENT 'Of the difference, at the level',
    ci_high Nullable(Float64),
    level Float64,
    relative_lift Nullable(Float64) COMMENT 'difference / mean_control',
    relative_ci_low Nullable(Float64),
    relative_ci_high Nullable(Float64),
    p_value Nullable(Float64) COMMENT 'Two-sided, of no difference',
    log10_p Nullable(Float64) COMMENT 'Also where p_value is too small for a Float64',
    status LowCardinality(String) COMMENT 'ok, or why a number is missing',
    status_reason String,
    sample_ratio_p Nullable(Float64),
    sample_ratio_status LowCardinality(String),
    watermark Nullable(DateTime64(6, 'UTC')) COMMENT 'Everything received up to here is in the numbers',
    code_version LowCardinality(String)
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (experiment_id, computed_at, run_id, metric_key, metric_version, variant_key);
