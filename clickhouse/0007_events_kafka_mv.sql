-- A batch of events, parsed once for the two views behind it: the good elements become rows, the bad ones dead letters.
-- A field is a Variant where an array or an object must not pass for a text: it then leaves the String part null. No
-- number is among its types: it would take the texts that look like one, such as the user id "116".
-- Stores nothing.
CREATE TABLE IF NOT EXISTS event_batches ${ON_CLUSTER}
(
    payload String,
    events Array(Tuple(
        schema_version Nullable(UInt16),
        id Nullable(String),
        user_id Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        unit_type Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        event_type Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        timestamp Nullable(String),
        experiment_id Nullable(String),
        variant_key Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        session_id Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        value Nullable(String),
        properties Nullable(String),
        received_at Nullable(String)
    )),
    errors Array(String) COMMENT 'One for each event, empty where it is good',
    topic LowCardinality(String),
    _partition UInt32,
    _offset UInt64,
    ingested_at DateTime64(3, 'UTC')
)
ENGINE = Null;

-- A number of more than 18 digits makes the JSON parser refuse the whole payload, so where nothing could be read, such
-- numbers outside of strings get an exponent (and so become floating-point numbers) and the payload is read once more.
CREATE MATERIALIZED VIEW IF NOT EXISTS event_batches_mv ${ON_CLUSTER} TO event_batches AS
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

-- What an erased unit sent before its erasure is dropped, also when the topic is read again.
CREATE MATERIALIZED VIEW IF NOT EXISTS events_kafka_mv ${ON_CLUSTER} TO events_processed AS
SELECT
    event.event_id AS event_id,
    event.experiment_id AS experiment_id,
    event.user_id AS user_id,
    event.unit_type AS unit_type,
    event.event_type AS event_type,
    event.variant_key AS variant_key,
    event.session_id AS session_id,
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
        any(erasures.person) AS person,
        max(erasures.erased_at) AS erased_until
    FROM erased_users AS erasures
    GROUP BY person_key
) AS erased ON cityHash64(event.unit_type, event.user_id) = erased.person_key
WHERE event.received_at > erased.erased_until OR SHA256(concat(event.unit_type, '\0', event.user_id)) != erased.person;

CREATE MATERIALIZED VIEW IF NOT EXISTS event_dead_letters_mv ${ON_CLUSTER} TO dead_letters AS
SELECT
    letter.1 AS message,
    letter.2 AS error,
    topic,
    _partition,
    _offset,
    letter.3 AS element,
    ingested_at
FROM (
    SELECT
        arrayJoin(if(
            empty(events),
            [(payload, 'payload: no readable event', toUInt32(0))],
            arrayFilter(
                letter -> letter.2 != '',
                arrayZip(
                    arrayResize(JSONExtractArrayRaw(payload), length(events)),
                    errors,
                    arrayMap(number -> toUInt32(number), arrayEnumerate(events))
                )
            )
        )) AS letter,
        topic,
        _partition,
        _offset,
        ingested_at
    FROM event_batches
    WHERE empty(events) OR arrayExists(error -> error != '', errors)
);
