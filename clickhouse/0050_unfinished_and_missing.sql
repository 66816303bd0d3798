-- Beside each result: who is not judged yet, who has no value, and how far the plan is.
ALTER TABLE experiment_results ${ON_CLUSTER}
    ADD COLUMN IF NOT EXISTS unfinished_control UInt64 COMMENT 'Units whose window has not ended or was cut short: in none of the other numbers',
    ADD COLUMN IF NOT EXISTS unfinished_variant UInt64,
    ADD COLUMN IF NOT EXISTS so_far_control Nullable(Float64) COMMENT 'Their mean until now',
    ADD COLUMN IF NOT EXISTS so_far_variant Nullable(Float64),
    ADD COLUMN IF NOT EXISTS missing_control UInt64 COMMENT 'Units without a value, which the metric leaves out',
    ADD COLUMN IF NOT EXISTS missing_variant UInt64,
    ADD COLUMN IF NOT EXISTS share Nullable(Float64) COMMENT 'Of the planned size; NULL without one';
