CREATE MATERIALIZED VIEW IF NOT EXISTS dead_letters_mv ${ON_CLUSTER} TO dead_letters AS
SELECT
    message,
    error,
    topic,
    _partition,
    _offset,
    toUInt32(0) AS element,
    ingested_at
FROM outbox_messages
WHERE error != '';

-- The only view on the topic, and the last to be made: from here on messages flow, so everything behind it must exist.
-- Left out: Debezium's own heartbeats (a time alone) and the rows of the heartbeat table.
CREATE MATERIALIZED VIEW IF NOT EXISTS outbox_messages_mv ${ON_CLUSTER} TO outbox_messages AS
WITH
    JSONExtract(
        message,
        'Tuple(
            op Nullable(String),
            ts_ms Nullable(Int64),
            source Tuple(table Nullable(String)),
            after Tuple(
                aggregate_type Nullable(String),
                event_type Nullable(String),
                payload Nullable(String)
            )
        )'
    ) AS envelope
SELECT
    message,
    ifNull(envelope.after.aggregate_type, '') AS aggregate_type,
    ifNull(envelope.after.event_type, '') AS event_type,
    ifNull(envelope.after.payload, '') AS payload,
    multiIf(
        _error != '', concat('message: ', _error),
        message = '', 'message: empty',
        isNull(envelope.op) AND NOT isValidJSON(message), 'message: no JSON',
        isNull(envelope.op), 'op: missing',
        envelope.op NOT IN ('c', 'r'), 'op: neither c nor r',
        isNull(envelope.after.aggregate_type), 'after.aggregate_type: missing',
        isNull(envelope.after.payload), 'after.payload: missing',
        (aggregate_type, event_type) NOT IN (
            ('event', 'EVENT_CREATED'),
            ('event_batch', 'EVENTS_CREATED'),
            ('assignment', 'ASSIGNMENT_CREATED'),
            ('assignment_batch', 'ASSIGNMENTS_CREATED'),
            ('experiment', 'EXPERIMENT_CHANGED'),
            ('user', 'USER_ERASED'),
            ('user_link', 'USER_LINKED')
        ), 'after: unknown aggregate_type or event_type',
        ''
    ) AS error,
    _topic AS topic,
    _partition,
    _offset,
    now64(3, 'UTC') AS ingested_at
FROM raw_events_kafka
WHERE NOT (
    ifNull(envelope.source.table, '') = 'heartbeat'
    OR (isNull(envelope.op) AND isNull(envelope.after.payload) AND isNotNull(envelope.ts_ms) AND length(message) < 256)
);
