-- What could not be read, with the reason. The hash keeps apart two messages that had the same place in a topic that was
-- made anew between them.
CREATE TABLE IF NOT EXISTS dead_letters ${ON_CLUSTER}
(
    message String COMMENT 'The whole message, or the one bad element of a batch' CODEC(ZSTD(3)),
    error String COMMENT 'field: rule',
    topic LowCardinality(String),
    _partition UInt32,
    _offset UInt64,
    element UInt32 COMMENT 'The place in the batch, from 1; 0: the whole message',
    ingested_at DateTime64(3, 'UTC')
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (topic, _partition, _offset, element, sipHash64(message))
TTL toDateTime(ingested_at) + INTERVAL 180 DAY;
