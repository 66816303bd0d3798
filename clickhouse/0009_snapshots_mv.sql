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

-- One row per anonymous id: the person it belongs to. What either id did, one unit did: models read both under `user_id`,
-- and leave out who has two variants of one experiment that way.
CREATE TABLE IF NOT EXISTS user_links ${ON_CLUSTER}
(
    unit_type LowCardinality(String),
    anonymous_id String,
    user_id String,
    linked_at DateTime64(6, 'UTC'),
    received_at DateTime64(6, 'UTC'),
    ingested_at DateTime64(3, 'UTC'),
    _partition UInt32,
    _offset UInt64
)
ENGINE = ${REPLICATED}ReplacingMergeTree
ORDER BY (unit_type, anonymous_id);

-- Links come one to a message and seldom. What they hold is checked here, once, for the views behind. Stores nothing.
CREATE TABLE IF NOT EXISTS user_link_messages ${ON_CLUSTER}
(
    payload String,
    fields Tuple(
        unit_type Nullable(String),
        anonymous_id Nullable(String),
        user_id Nullable(String),
        linked_at Nullable(String),
        received_at Nullable(String)
    ),
    error String,
    topic LowCardinality(String),
    _partition UInt32,
    _offset UInt64,
    ingested_at DateTime64(3, 'UTC')
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS user_link_messages_mv ${ON_CLUSTER} TO user_link_messages AS
WITH
    'Tuple(
        unit_type Nullable(String),
        anonymous_id Nullable(String),
        user_id Nullable(String),
        linked_at Nullable(String),
        received_at Nullable(String)
    )' AS shape
SELECT
    payload,
    JSONExtract(payload, shape) AS fields,
    multiIf(
        JSONType(payload) != 'Object', 'payload: no readable object',
        ifNull(JSONExtract(payload, 'schema_version', 'Nullable(UInt16)'), 0) != 1, 'schema_version: missing, or unknown',
        ifNull(fields.anonymous_id, '') = '', 'anonymous_id: missing, or no string',
        ifNull(fields.user_id, '') = '', 'user_id: missing, or no string',
        fields.user_id = fields.anonymous_id, 'user_id: the anonymous id itself',
        isNull(parseDateTime64BestEffortOrNull(fields.linked_at, 6, 'UTC')), 'linked_at: missing, or no time',
        isNull(parseDateTime64BestEffortOrNull(fields.received_at, 6, 'UTC')), 'received_at: missing, or no time',
        ''
    ) AS error,
    topic,
    _partition,
    _offset,
    ingested_at
FROM outbox_messages
WHERE outbox_messages.error = '' AND aggregate_type = 'user_link';

-- A link with an id that was erased after it is dropped, also when the topic is read again.
CREATE MATERIALIZED VIEW IF NOT EXISTS user_links_mv ${ON_CLUSTER} TO user_links AS
SELECT
    link.unit_type AS unit_type,
    link.anonymous_id AS anonymous_id,
    link.user_id AS user_id,
    link.linked_at AS linked_at,
    link.received_at AS received_at,
    link.ingested_at AS ingested_at,
    link._partition AS _partition,
    link._offset AS _offset
FROM (
    SELECT
        ifNull(fields.unit_type, 'user') AS unit_type,
        assumeNotNull(fields.anonymous_id) AS anonymous_id,
        assumeNotNull(fields.user_id) AS user_id,
        assumeNotNull(parseDateTime64BestEffortOrNull(fields.linked_at, 6, 'UTC')) AS linked_at,
        assumeNotNull(parseDateTime64BestEffortOrNull(fields.received_at, 6, 'UTC')) AS received_at,
        ingested_at,
        _partition,
        _offset
    FROM user_link_messages
    WHERE error = ''
) AS link
LEFT ANY JOIN (
    SELECT
        person,
        max(erasures.erased_at) AS erased_until
    FROM erased_users AS erasures
    GROUP BY person
) AS erased ON SHA256(concat(link.unit_type, '\0', link.user_id)) = erased.person
LEFT ANY JOIN (
    SELECT
        person,
        max(erasures.erased_at) AS erased_until
    FROM erased_users AS erasures
    GROUP BY person
) AS erased_anonymous ON SHA256(concat(link.unit_type, '\0', link.anonymous_id)) = erased_anonymous.person
WHERE link.received_at > erased.erased_until AND link.received_at > erased_anonymous.erased_until;

CREATE MATERIALIZED VIEW IF NOT EXISTS user_link_dead_letters_mv ${ON_CLUSTER} TO dead_letters AS
SELECT
    payload AS message,
    error,
    topic,
    _partition,
    _offset,
    toUInt32(0) AS element,
    ingested_at
FROM user_link_messages
WHERE error != '';
