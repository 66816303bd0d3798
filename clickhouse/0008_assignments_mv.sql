-- A batch of assignments, parsed once for the two views behind it. Stores nothing.
CREATE TABLE IF NOT EXISTS assignment_batches ${ON_CLUSTER}
(
    payload String,
    assignments Array(Tuple(
        schema_version Nullable(UInt16),
        experiment_id Nullable(UInt32),
        unit_type Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        user_id Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        variant_key Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        version Nullable(UInt32),
        assigned_at Nullable(String),
        attributes Nullable(String),
        received_at Nullable(String)
    )),
    errors Array(String) COMMENT 'One for each assignment, empty where it is good',
    topic LowCardinality(String),
    _partition UInt32,
    _offset UInt64,
    ingested_at DateTime64(3, 'UTC')
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS assignment_batches_mv ${ON_CLUSTER} TO assignment_batches AS
WITH
    if(startsWith(trimLeft(payload), '{'), concat('[', payload, ']'), payload) AS batch,
    'Array(Tuple(
        schema_version Nullable(UInt16),
        experiment_id Nullable(UInt32),
        unit_type Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        user_id Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        variant_key Variant(Array(Nullable(String)), Map(String, Nullable(String)), String),
        version Nullable(UInt32),
        assigned_at Nullable(String),
        attributes Nullable(String),
        received_at Nullable(String)
    ))' AS shape,
    '^(19[7-9][0-9]|2[01][0-9]{2})-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?Z$' AS utc_time
SELECT
    if(
        isValidJSON(batch),
        batch,
        arrayStringConcat(arrayMap(
            part -> if(startsWith(part, '"'), part, replaceRegexpAll(part, '([0-9]{19,})', '\\1e0')),
            extractAll(batch, '"(?:[^"\\\\]|\\\\.)*"|[^"]+')
        ))
    ) AS payload,
    JSONExtract(payload, shape) AS assignments,
    arrayMap(
        a -> multiIf(
            isNull(a.schema_version), 'schema_version: missing, or no number',
            a.schema_version != 1, 'schema_version: unknown',
            ifNull(a.experiment_id, 0) = 0, 'experiment_id: missing, or no whole number above 0',
            variantType(a.unit_type) NOT IN ('String', 'None'), 'unit_type: no string',
            ifNull(variantElement(a.user_id, 'String'), '') = '', 'user_id: missing, or no string',
            ifNull(variantElement(a.variant_key, 'String'), '') = '', 'variant_key: missing, or no string',
            isNull(a.version), 'version: missing, or no whole number',
            NOT match(ifNull(a.assigned_at, ''), utc_time), 'assigned_at: missing, or no UTC time of 1970 to 2199',
            isNull(parseDateTime64BestEffortOrNull(a.assigned_at, 6, 'UTC')), 'assigned_at: impossible date',
            isNotNull(a.attributes) AND NOT startsWith(assumeNotNull(a.attributes), '{'), 'attributes: no object',
            NOT match(ifNull(a.received_at, ''), utc_time), 'received_at: missing, or no UTC time of 1970 to 2199',
            isNull(parseDateTime64BestEffortOrNull(a.received_at, 6, 'UTC')), 'received_at: impossible date',
            ''
        ),
        assignments
    ) AS errors,
    topic,
    _partition,
    _offset,
    ingested_at
FROM outbox_messages
WHERE error = '' AND aggregate_type IN ('assignment', 'assignment_batch');

-- What was received of an erased unit before its erasure is dropped, also when the topic is read again.
CREATE MATERIALIZED VIEW IF NOT EXISTS assignments_mv ${ON_CLUSTER} TO assignments AS
SELECT
    assignment.experiment_id AS experiment_id,
    assignment.unit_type AS unit_type,
    assignment.user_id AS user_id,
    assignment.variant_key AS variant_key,
    assignment.version AS version,
    assignment.assigned_at AS assigned_at,
    assignment.attributes AS attributes,
    assignment.received_at AS received_at,
    assignment.ingested_at AS ingested_at,
    assignment._partition AS _partition,
    assignment._offset AS _offset
FROM (
    SELECT
        assumeNotNull(a.experiment_id) AS experiment_id,
        ifNull(variantElement(a.unit_type, 'String'), 'user') AS unit_type,
        assumeNotNull(variantElement(a.user_id, 'String')) AS user_id,
        assumeNotNull(variantElement(a.variant_key, 'String')) AS variant_key,
        assumeNotNull(a.version) AS version,
        assumeNotNull(parseDateTime64BestEffortOrNull(a.assigned_at, 6, 'UTC')) AS assigned_at,
        ifNull(a.attributes, '') AS attributes,
        assumeNotNull(parseDateTime64BestEffortOrNull(a.received_at, 6, 'UTC')) AS received_at,
        ingested_at,
        _partition,
        _offset
    FROM assignment_batches
    ARRAY JOIN assignments AS a, errors AS error
    WHERE error = ''
) AS assignment
LEFT ANY JOIN (
    SELECT
        person_key,
        any(erasures.person) AS person,
        max(erasures.erased_at) AS erased_until
    FROM erased_users AS erasures
    GROUP BY person_key
) AS erased ON cityHash64(assignment.unit_type, assignment.user_id) = erased.person_key
WHERE
    assignment.received_at > erased.erased_until
    OR SHA256(concat(assignment.unit_type, '\0', assignment.user_id)) != erased.person;

CREATE MATERIALIZED VIEW IF NOT EXISTS assignment_dead_letters_mv ${ON_CLUSTER} TO dead_letters AS
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
            empty(assignments),
            [(payload, 'payload: no readable assignment', toUInt32(0))],
            arrayFilter(
                letter -> letter.2 != '',
                arrayZip(
                    arrayResize(JSONExtractArrayRaw(payload), length(assignments)),
                    errors,
                    arrayMap(number -> toUInt32(number), arrayEnumerate(assignments))
                )
            )
        )) AS letter,
        topic,
        _partition,
        _offset,
        ingested_at
    FROM assignment_batches
    WHERE empty(assignments) OR arrayExists(error -> error != '', errors)
);
