-- Two erased people may have one 64-bit key. Behind each key stand all who have it, by their SHA-256, each with the own
-- erasure: what any of them sent before it is dropped, and nothing of anybody else. A new query takes the comments of its
-- columns with it.
ALTER TABLE events_kafka_mv ${ON_CLUSTER} MODIFY QUERY
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

ALTER TABLE assignments_mv ${ON_CLUSTER} MODIFY QUERY
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
) AS erased ON cityHash64(assignment.unit_type, assignment.user_id) = erased.person_key
WHERE
    assignment.received_at > erased.last_erased_at
    OR assignment.received_at > erased.erased_at_of[SHA256(concat(assignment.unit_type, '\0', assignment.user_id))];

ALTER TABLE events_kafka_mv ${ON_CLUSTER}
    COMMENT COLUMN event_id 'The event''s id.',
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN user_id 'The unit''s id, as it was sent.',
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN event_type 'What happened.',
    COMMENT COLUMN variant_key 'The variant.',
    COMMENT COLUMN session_id 'Empty: none',
    COMMENT COLUMN timestamp 'When it happened, UTC.',
    COMMENT COLUMN value '0 where absent',
    COMMENT COLUMN properties 'A JSON object, or empty',
    COMMENT COLUMN received_delay 'Microseconds from timestamp to received_at',
    COMMENT COLUMN ingested_delay 'Milliseconds from received_at to ingested_at',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    MODIFY COMMENT 'Writes the good events of each batch.';

ALTER TABLE assignments_mv ${ON_CLUSTER}
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN user_id 'The unit''s id, as it was sent.',
    COMMENT COLUMN variant_key 'The variant.',
    COMMENT COLUMN version 'The version of the configuration.',
    COMMENT COLUMN assigned_at 'When the unit was assigned, UTC.',
    COMMENT COLUMN attributes 'A JSON object, as it was at the assignment, or empty',
    COMMENT COLUMN received_at 'When the API took it, UTC.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    MODIFY COMMENT 'Writes the good assignments of each batch.';
