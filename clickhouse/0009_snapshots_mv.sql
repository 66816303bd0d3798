-- Experiments and erasures come one to a message and seldom. What they hold is checked here, once, for the views behind.
-- Stores nothing.
CREATE TABLE IF NOT EXISTS snapshot_messages ${ON_CLUSTER}
(
    aggregate_type String,
    payload String,
    fields Tuple(
        experiment_id Nullable(UInt32),
        key Nullable(String),
        name Nullable(String),
        source Nullable(String),
        unit_type Nullable(String),
        population Nullable(String),
        status Nullable(String),
        version Nullable(UInt32),
        variants Array(Tuple(key Nullable(String), weight Nullable(Float64))),
        started_at Nullable(String),
        concluded_at Nullable(String),
        user_id Nullable(String),
        erased_at Nullable(String),
        received_at Nullable(String)
    ),
    error String,
    topic LowCardinality(String),
    _partition UInt32,
    _offset UInt64,
    ingested_at DateTime64(3, 'UTC')
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS snapshot_messages_mv ${ON_CLUSTER} TO snapshot_messages AS
WITH
    'Tuple(
        experiment_id Nullable(UInt32),
        key Nullable(String),
        name Nullable(String),
        source Nullable(String),
        unit_type Nullable(String),
        population Nullable(String),
        status Nullable(String),
        version Nullable(UInt32),
        variants Array(Tuple(key Nullable(String), weight Nullable(Float64))),
        started_at Nullable(String),
        concluded_at Nullable(String),
        user_id Nullable(String),
        erased_at Nullable(String),
        received_at Nullable(String)
    )' AS shape
SELECT
    aggregate_type,
    payload,
    JSONExtract(payload, shape) AS fields,
    multiIf(
        JSONType(payload) != 'Object', 'payload: no readable object',
        ifNull(JSONExtract(payload, 'schema_version', 'Nullable(UInt16)'), 0) != 1, 'schema_version: missing, or unknown',
        isNull(parseDateTime64BestEffortOrNull(fields.received_at, 6, 'UTC')), 'received_at: missing, or no time',
        aggregate_type = 'user' AND ifNull(fields.user_id, '') = '', 'user_id: missing, or no string',
        aggregate_type = 'user' AND isNull(parseDateTime64BestEffortOrNull(fields.erased_at, 6, 'UTC')),
        'erased_at: missing, or no time',
        aggregate_type = 'user', '',
        ifNull(fields.experiment_id, 0) = 0, 'experiment_id: missing, or no whole number above 0',
        isNull(fields.version), 'version: missing, or no whole number',
        ifNull(fields.key, '') = '', 'key: missing, or no string',
        ifNull(fields.status, '') = '', 'status: missing, or no string',
        empty(fields.variants), 'variants: missing, or no array of objects',
        arrayExists(v -> isNull(v.key) OR isNull(v.weight), fields.variants), 'variants: one without key or weight',
        isNotNull(fields.started_at) AND isNull(parseDateTime64BestEffortOrNull(fields.started_at, 6, 'UTC')),
        'started_at: no time',
        isNotNull(fields.concluded_at) AND isNull(parseDateTime64BestEffortOrNull(fields.concluded_at, 6, 'UTC')),
        'concluded_at: no time',
        ''
    ) AS error,
    topic,
    _partition,
    _offset,
    ingested_at
FROM outbox_messages
WHERE outbox_messages.error = '' AND aggregate_type IN ('experiment', 'user');

CREATE MATERIALIZED VIEW IF NOT EXISTS experiments_mv ${ON_CLUSTER} TO experiments AS
SELECT
    assumeNotNull(fields.experiment_id) AS experiment_id,
    assumeNotNull(fields.version) AS version,
    assumeNotNull(fields.key) AS key,
    ifNull(fields.name, '') AS name,
    ifNull(fields.source, 'internal') AS source,
    ifNull(fields.unit_type, 'user') AS unit_type,
    ifNull(fields.population, 'exposed') AS population,
    assumeNotNull(fields.status) AS status,
    payload AS snapshot,
    parseDateTime64BestEffortOrNull(fields.started_at, 6, 'UTC') AS started_at,
    parseDateTime64BestEffortOrNull(fields.concluded_at, 6, 'UTC') AS concluded_at,
    assumeNotNull(parseDateTime64BestEffortOrNull(fields.received_at, 6, 'UTC')) AS received_at,
    ingested_at,
    _partition,
    _offset
FROM snapshot_messages
WHERE error = '' AND aggregate_type = 'experiment';

CREATE MATERIALIZED VIEW IF NOT EXISTS erased_users_mv ${ON_CLUSTER} TO erased_users AS
SELECT
    ifNull(fields.unit_type, 'user') AS unit_type,
    SHA256(concat(unit_type, '\0', assumeNotNull(fields.user_id))) AS person,
    cityHash64(unit_type, assumeNotNull(fields.user_id)) AS person_key,
    assumeNotNull(parseDateTime64BestEffortOrNull(fields.erased_at, 6, 'UTC')) AS erased_at,
    assumeNotNull(parseDateTime64BestEffortOrNull(fields.received_at, 6, 'UTC')) AS received_at,
    ingested_at,
    _partition,
    _offset
FROM snapshot_messages
WHERE error = '' AND aggregate_type = 'user';

CREATE MATERIALIZED VIEW IF NOT EXISTS snapshot_dead_letters_mv ${ON_CLUSTER} TO dead_letters AS
SELECT
    payload AS message,
    error,
    topic,
    _partition,
    _offset,
    toUInt32(0) AS element,
    ingested_at
FROM snapshot_messages
WHERE error != '';
