-- app_version, which an event may have: the version of the app that sent it.
--
-- A view is changed in place, from its end to its beginning: the tables that are written to, then what writes them, and what
-- reads the topic last. No view is dropped, so no message passes while one is away, and each statement leaves a chain that
-- takes every message. A message without the field has an empty version. A new query takes the comments of its columns with
-- it.
ALTER TABLE events_processed ${ON_CLUSTER}
    ADD COLUMN IF NOT EXISTS app_version LowCardinality(String)
    COMMENT 'The version of the app that sent it; empty: none' CODEC(ZSTD(3)) AFTER session_id;

ALTER TABLE recent_events ${ON_CLUSTER}
    ADD COLUMN IF NOT EXISTS app_version LowCardinality(String)
    COMMENT 'The version of the app that sent it; empty: none' CODEC(ZSTD(1)) AFTER event_type;

ALTER TABLE event_batches ${ON_CLUSTER}
    MODIFY COLUMN events Array(Tuple(
        schema_version Nullable(UInt16),
        id Nullable(String),
        user_id Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        unit_type Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        event_type Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        timestamp Nullable(String),
        experiment_id Nullable(String),
        variant_key Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        session_id Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        app_version Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        value Nullable(String),
        properties Nullable(String),
        received_at Nullable(String)
    ));

ALTER TABLE recent_events_mv ${ON_CLUSTER} MODIFY QUERY
SELECT
    event_id,
    experiment_id,
    user_id,
    unit_type,
    event_type,
    app_version,
    timestamp,
    value,
    properties,
    is_conversion,
    timestamp + toIntervalMicrosecond(received_delay) AS received_at
FROM events_processed
WHERE timestamp >= now() - INTERVAL 8 DAY;

ALTER TABLE events_kafka_mv ${ON_CLUSTER} MODIFY QUERY
SELECT
    event.event_id AS event_id,
    event.experiment_id AS experiment_id,
    event.user_id AS user_id,
    event.unit_type AS unit_type,
    event.event_type AS event_type,
    event.variant_key AS variant_key,
    event.session_id AS session_id,
    event.app_version AS app_version,
    event.timestamp AS timestamp,
    event.value AS value,
    event.properties AS properties,
    toUnixTimestamp64Micro(event.received_at) - toUnixTimestamp64Micro(event.timestamp) AS received_delay,
    toUnixTimestamp64Milli(event.ingested_at) - toUnixTimestamp64Milli(event.received_at) AS ingested_delay,
    event._partition AS _partition,
    event._offset AS _offset
FROM (
    SELECT
        assumeNotNull(toUUIDOrNull(e.id)) AS event_id,
        ifNull(toUInt32OrNull(e.experiment_id), 0) AS experiment_id,
        assumeNotNull(variantElement(e.user_id, 'String')) AS user_id,
        ifNull(variantElement(e.unit_type, 'String'), 'user') AS unit_type,
        assumeNotNull(variantElement(e.event_type, 'String')) AS event_type,
        ifNull(variantElement(e.variant_key, 'String'), '') AS variant_key,
        ifNull(variantElement(e.session_id, 'String'), '') AS session_id,
        ifNull(variantElement(e.app_version, 'String'), '') AS app_version,
        assumeNotNull(parseDateTime64BestEffortOrNull(e.timestamp, 6, 'UTC')) AS timestamp,
        ifNull(toDecimal64OrNull(e.value, 6), 0) AS value,
        ifNull(e.properties, '') AS properties,
        assumeNotNull(parseDateTime64BestEffortOrNull(e.received_at, 6, 'UTC')) AS received_at,
        ingested_at,
        _partition,
        _offset
    FROM event_batches
    ARRAY JOIN events AS e, errors AS error
    WHERE error = ''
) AS event
LEFT ANY JOIN (
    SELECT
        person_key,
        max(people.erased_until) AS last_erased_at,
        mapFromArrays(groupArray(people.person), groupArray(people.erased_until)) AS erased_at_of
    FROM (
        SELECT
            person_key,
            person,
            max(erasures.erased_at) AS erased_until
        FROM erased_users AS erasures
        GROUP BY person_key, person
    ) AS people
    GROUP BY person_key
) AS erased ON cityHash64(event.unit_type, event.user_id) = erased.person_key
WHERE
    event.received_at > erased.last_erased_at
    OR event.received_at > erased.erased_at_of[SHA256(concat(event.unit_type, '\0', event.user_id))];

ALTER TABLE event_batches_mv ${ON_CLUSTER} MODIFY QUERY
WITH
    if(startsWith(trimLeft(payload), '{'), concat('[', payload, ']'), payload) AS batch,
    'Array(Tuple(
        schema_version Nullable(UInt16),
        id Nullable(String),
        user_id Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        unit_type Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        event_type Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        timestamp Nullable(String),
        experiment_id Nullable(String),
        variant_key Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        session_id Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        app_version Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        value Nullable(String),
        properties Nullable(String),
        received_at Nullable(String)
    ))' AS shape,
    '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' AS uuid,
    '^(19[7-9][0-9]|2[01][0-9]{2})-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?Z$' AS utc_time,
    '^-?[0-9]{1,12}([.][0-9]{1,6})?$' AS exact_decimal
SELECT
    if(
        isValidJSON(batch),
        batch,
        arrayStringConcat(arrayMap(
            part -> if(startsWith(part, '"'), part, replaceRegexpAll(part, '([0-9]{19,})', '\\1e0')),
            extractAll(batch, '"(?:[^"\\\\]|\\\\.)*"|[^"]+')
        ))
    ) AS payload,
    JSONExtract(payload, shape) AS events,
    arrayMap(
        e -> multiIf(
            isNull(e.schema_version), 'schema_version: missing, or no number',
            e.schema_version != 1, 'schema_version: unknown',
            NOT match(ifNull(e.id, ''), uuid), 'id: missing, or no UUID',
            ifNull(variantElement(e.user_id, 'String'), '') = '', 'user_id: missing, or no string',
            variantType(e.unit_type) NOT IN ('String', 'None'), 'unit_type: no string',
            ifNull(variantElement(e.event_type, 'String'), '') = '', 'event_type: missing, or no string',
            NOT match(ifNull(e.timestamp, ''), utc_time), 'timestamp: missing, or no UTC time of 1970 to 2199',
            isNull(parseDateTime64BestEffortOrNull(e.timestamp, 6, 'UTC')), 'timestamp: impossible date',
            isNotNull(e.experiment_id) AND isNull(toUInt32OrNull(e.experiment_id)), 'experiment_id: no whole number',
            variantType(e.variant_key) NOT IN ('String', 'None'), 'variant_key: no string',
            variantType(e.session_id) NOT IN ('String', 'None'), 'session_id: no string',
            variantType(e.app_version) NOT IN ('String', 'None'), 'app_version: no string',
            isNotNull(e.value) AND NOT match(assumeNotNull(e.value), exact_decimal),
            'value: no decimal of 18 digits, 6 after the point',
            isNotNull(e.properties) AND NOT startsWith(assumeNotNull(e.properties), '{'), 'properties: no object',
            NOT match(ifNull(e.received_at, ''), utc_time), 'received_at: missing, or no UTC time of 1970 to 2199',
            isNull(parseDateTime64BestEffortOrNull(e.received_at, 6, 'UTC')), 'received_at: impossible date',
            ''
        ),
        events
    ) AS errors,
    topic,
    _partition,
    _offset,
    ingested_at
FROM outbox_messages
WHERE error = '' AND aggregate_type IN ('event', 'event_batch');

ALTER TABLE recent_events_mv ${ON_CLUSTER}
    COMMENT COLUMN event_id 'The event''s id.',
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN user_id 'The unit''s id, as it was sent.',
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN event_type 'What happened.',
    COMMENT COLUMN app_version 'The version of the app that sent it; empty: none',
    COMMENT COLUMN timestamp 'When it happened, UTC.',
    COMMENT COLUMN value '0 where absent',
    COMMENT COLUMN properties 'A JSON object, or empty',
    COMMENT COLUMN is_conversion 'Whether the event''s type counts as a conversion wherever no metric says otherwise.',
    COMMENT COLUMN received_at 'When the API took it, UTC.',
    MODIFY COMMENT 'Writes each event of the last days once more, by day.';

ALTER TABLE events_kafka_mv ${ON_CLUSTER}
    COMMENT COLUMN event_id 'The event''s id.',
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN user_id 'The unit''s id, as it was sent.',
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN event_type 'What happened.',
    COMMENT COLUMN variant_key 'The variant.',
    COMMENT COLUMN session_id 'Empty: none',
    COMMENT COLUMN app_version 'The version of the app that sent it; empty: none',
    COMMENT COLUMN timestamp 'When it happened, UTC.',
    COMMENT COLUMN value '0 where absent',
    COMMENT COLUMN properties 'A JSON object, or empty',
    COMMENT COLUMN received_delay 'Microseconds from timestamp to received_at',
    COMMENT COLUMN ingested_delay 'Milliseconds from received_at to ingested_at',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    MODIFY COMMENT 'Writes the good events of each batch.';

ALTER TABLE event_batches_mv ${ON_CLUSTER}
    COMMENT COLUMN payload 'What the outbox row carried, as JSON.',
    COMMENT COLUMN events 'The events that could be read out of it.',
    COMMENT COLUMN errors 'One for each element, empty where it is good.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Parses batches of events.';
