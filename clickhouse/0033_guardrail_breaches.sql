-- One row per breach of a guardrail for which an experiment was paused.
CREATE TABLE IF NOT EXISTS guardrail_breaches ${ON_CLUSTER}
(
    experiment_id UInt32,
    experiment_key String,
    metric_key String,
    variant_key LowCardinality(String),
    n_control UInt64 COMMENT 'Units that had finished the metric''s window',
    n_variant UInt64,
    mean_control Float64,
    mean_variant Float64,
    reason String,
    evidence_at DateTime64(6, 'UTC') COMMENT 'When the newest event in the evidence was accepted',
    paused_at DateTime64(6, 'UTC')
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (experiment_id, paused_at, metric_key, variant_key);
