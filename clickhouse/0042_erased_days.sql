-- One row per UTC day from which rows of an erased person were removed, and time of the removal: the person's rows no
-- longer tell which days to build anew, and the days name nobody. What removes the rows writes the days first.
CREATE TABLE IF NOT EXISTS erased_days ${ON_CLUSTER}
(
    axis LowCardinality(String) COMMENT 'event: rows that happened on the day; exposure: of units first exposed on it',
    day Date,
    removed_at DateTime64(3, 'UTC')
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (axis, day, removed_at)
TTL toDateTime(removed_at) + INTERVAL 180 DAY;
