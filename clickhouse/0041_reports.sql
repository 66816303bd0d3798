-- One row per rendered report: where the file is and what it was made from. The files are in the folder or the object
-- store that the setting NEONBLUE_REPORTS_LOCATION names.
CREATE TABLE IF NOT EXISTS reports ${ON_CLUSTER}
(
    report_id String,
    kind LowCardinality(String) COMMENT 'experiment or overview',
    experiment_id UInt32 COMMENT '0 for an overview',
    experiment_key String,
    created_at DateTime64(3, 'UTC'),
    computed_at DateTime64(3, 'UTC') COMMENT 'Of the results it shows',
    watermark Nullable(DateTime64(6, 'UTC')),
    run_id String,
    configuration_version UInt32,
    code_version LowCardinality(String),
    title String,
    media_type LowCardinality(String),
    location String COMMENT 'Path within the store',
    bytes UInt64,
    sha256 String
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (experiment_id, created_at, report_id);
