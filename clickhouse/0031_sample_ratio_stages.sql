-- One row per run, experiment, configuration version, stage and variant: how many units reached the stage.
CREATE TABLE IF NOT EXISTS sample_ratio_stages ${ON_CLUSTER}
(
    run_id String,
    computed_at DateTime64(3, 'UTC'),
    experiment_id UInt32,
    experiment_key String,
    version UInt32 COMMENT 'The configuration version the units entered under',
    stage LowCardinality(String) COMMENT 'assigned, exposed, ingested or analysed',
    variant_key LowCardinality(String),
    units UInt64,
    weight Float64 COMMENT 'The variant''s weight under the version',
    p_value Nullable(Float64) COMMENT 'Of the stage''s sample ratio over all versions',
    broken Bool COMMENT 'Whether this is the first stage whose ratio does not fit the weights'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (experiment_id, computed_at, run_id, stage, version, variant_key);
