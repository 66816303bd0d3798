-- One row per erasure: what was received about this unit up to erased_at is dropped wherever it turns up. The unit is
-- named by a hash, so that the list of the erased keeps nobody's id. The API removes a row when the topic has forgotten
-- what the unit sent, and nothing can bring it back.
CREATE TABLE IF NOT EXISTS erased_users ${ON_CLUSTER}
(
    unit_type LowCardinality(String),
    person FixedString(32) COMMENT 'SHA-256 of unit type, NUL and user id',
    person_key UInt64 COMMENT 'cityHash64 of unit type and user id: cheap to compute for every row, so rows are found by it',
    erased_at DateTime64(6, 'UTC'),
    received_at DateTime64(6, 'UTC'),
    ingested_at DateTime64(3, 'UTC'),
    _partition UInt32,
    _offset UInt64
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (unit_type, person, erased_at);
