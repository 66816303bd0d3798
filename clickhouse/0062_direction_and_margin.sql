-- Beside each result: which way is better, and how much worse a guardrail may get.
ALTER TABLE experiment_results ${ON_CLUSTER}
    ADD COLUMN IF NOT EXISTS direction LowCardinality(String) DEFAULT 'increase' COMMENT 'Which way is better: increase or decrease',
    ADD COLUMN IF NOT EXISTS margin Nullable(Float64) COMMENT 'How much worse a guardrail may get and still hold; NULL: not at all',
    ADD COLUMN IF NOT EXISTS margin_relative Bool DEFAULT true COMMENT 'Whether the margin is relative to the mean of control';
