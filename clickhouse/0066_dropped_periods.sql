-- What retention let go, written before it goes: months of events here, days of events in PostgreSQL. The models leave such a
-- month as they built it, and what comes late for it counts nowhere; a comparison takes such a day for incomplete.
CREATE TABLE IF NOT EXISTS dropped_periods ${ON_CLUSTER}
(
    period LowCardinality(String) COMMENT 'month: of events_processed; day: of PostgreSQL''s events',
    first_day Date COMMENT 'The UTC day that the period begins with.',
    dropped_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was dropped, UTC.'
)
ENGINE = ${REPLICATED}ReplacingMergeTree(dropped_at)
ORDER BY (period, first_day)
COMMENT 'One row per month of events that retention dropped here, and per day that it dropped in PostgreSQL.';
