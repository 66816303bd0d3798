-- Which traced requests' events have arrived here, and when: for spans, and for nothing that is counted. Filled only where
-- a message says so, which it does where traces are on. What is no span's name is left out.
CREATE TABLE IF NOT EXISTS message_traces ${ON_CLUSTER}
(
    traceparent String COMMENT 'The request''s span, as W3C Trace Context writes it.',
    received_at DateTime64(6, 'UTC') COMMENT 'When the API took the events, UTC.',
    ingested_at DateTime64(3, 'UTC') COMMENT 'When they were written here, UTC.',
    events UInt64 COMMENT 'How many of the request are in the message.',
    _partition UInt32 COMMENT 'Of the topic.',
    _offset UInt64 COMMENT 'The place in the partition.'
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (ingested_at, traceparent, _partition, _offset)
TTL toDateTime(ingested_at) + INTERVAL 1 DAY
COMMENT 'One row per traced request and message of its events.';

CREATE MATERIALIZED VIEW IF NOT EXISTS message_traces_mv ${ON_CLUSTER} TO message_traces
(
    traceparent String COMMENT 'The request''s span, as W3C Trace Context writes it.',
    received_at DateTime64(6, 'UTC') COMMENT 'When the API took the events, UTC.',
    ingested_at DateTime64(3, 'UTC') COMMENT 'When they were written here, UTC.',
    events UInt64 COMMENT 'How many of the request are in the message.',
    _partition UInt32 COMMENT 'Of the topic.',
    _offset UInt64 COMMENT 'The place in the partition.'
)
AS
SELECT
    assumeNotNull(event.traceparent) AS traceparent,
    assumeNotNull(min(parseDateTime64BestEffortOrNull(event.received_at, 6, 'UTC'))) AS received_at,
    ingested_at,
    count() AS events,
    _partition,
    _offset
FROM (
    SELECT
        arrayJoin(JSONExtract(payload, 'Array(Tuple(traceparent Nullable(String), received_at Nullable(String)))')) AS event,
        ingested_at,
        _partition,
        _offset
    FROM event_batches
    WHERE position(payload, '"traceparent"') > 0
)
WHERE match(ifNull(event.traceparent, ''), '^00-[0-9a-f]{32}-[0-9a-f]{16}-01$')
GROUP BY traceparent, ingested_at, _partition, _offset
COMMENT 'Writes where the events of traced requests arrive.';
