-- Beside each breach: what was done about it, and under which configuration.
ALTER TABLE guardrail_breaches ${ON_CLUSTER}
    ADD COLUMN IF NOT EXISTS configuration_version UInt32 COMMENT 'Which configuration was breached; 0: it was not kept then.',
    ADD COLUMN IF NOT EXISTS action LowCardinality(String) DEFAULT 'pause' COMMENT 'What was done: alert, hold, pause or roll_back.';

ALTER TABLE guardrail_breaches ${ON_CLUSTER}
    COMMENT COLUMN paused_at 'When it was done, UTC.',
    MODIFY COMMENT 'One row per breach of a guardrail, and what was done about it.';
