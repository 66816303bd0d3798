-- People and other units, by the client's own ids.
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_id text NOT NULL,
    unit_type text NOT NULL DEFAULT 'user',
    attributes jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    erased_at timestamptz,
    UNIQUE (unit_type, external_id)
);

-- A random key of each person whom the audit log names, by a hash with this key: without it nobody can tell who was meant.
CREATE TABLE person_keys (
    unit_type text NOT NULL,
    user_id text NOT NULL,
    key bytea NOT NULL CHECK (length(key) = 32),
    PRIMARY KEY (unit_type, user_id)
);

-- The receipt of each erasure. It names nobody once nothing is left of the person.
CREATE TABLE erasures (
    id uuid PRIMARY KEY,
    unit_type text NOT NULL,
    user_id text, -- until it is removed wherever it can be
    person bytea CHECK (length(person) = 32), -- SHA-256 of unit type, NUL and id; until nothing can bring it back
    erased_at timestamptz NOT NULL, -- what was received up to here is erased
    removed jsonb NOT NULL DEFAULT '[]', -- [{"store", "place", "rows", "at"}]
    arrived_at timestamptz, -- when ClickHouse had read it from the stream
    settled_at timestamptz, -- when what was under way in PostgreSQL and in the caches was removed too
    cleared_at timestamptz, -- when ClickHouse was seen to hold nothing
    outbox_gone_at timestamptz,
    topic_gone_at timestamptz,
    closed_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz DEFAULT now(), -- null: nothing to do but to wait for retention
    problem text -- of the last attempt
);

-- The planner needs no samples of these, and samples outlive their rows.
ALTER TABLE person_keys ALTER COLUMN user_id SET STATISTICS 0;
ALTER TABLE erasures ALTER COLUMN user_id SET STATISTICS 0;

CREATE INDEX erasures_due ON erasures (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX erasures_open ON erasures (person) WHERE person IS NOT NULL;

CREATE TABLE layers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    name text,
    salt text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE holdouts (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    salt text NOT NULL,
    share integer NOT NULL CHECK (share BETWEEN 0 AND 10000), -- basis points of traffic
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE experiments (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    name text,
    hypothesis text,
    source text NOT NULL DEFAULT 'internal' CHECK (source IN ('internal', 'external')),
    unit_type text NOT NULL DEFAULT 'user',
    population text NOT NULL DEFAULT 'exposed' CHECK (population IN ('exposed', 'assigned')),
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'running', 'concluded')),
    salt text NOT NULL,
    allocation integer NOT NULL DEFAULT 10000 CHECK (allocation BETWEEN 0 AND 10000), -- basis points of traffic
    layer_id integer REFERENCES layers (id),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    concluded_at timestamptz
);

CREATE TABLE variants (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    experiment_id integer NOT NULL REFERENCES experiments (id),
    key text NOT NULL,
    name text,
    weight integer NOT NULL CHECK (weight > 0),
    is_control boolean NOT NULL DEFAULT false,
    position integer NOT NULL,
    payload jsonb,
    UNIQUE (experiment_id, key)
);

CREATE UNIQUE INDEX variants_one_control ON variants (experiment_id) WHERE is_control;

-- Every configuration that was ever saved: the snapshot as it went down the stream.
CREATE TABLE experiment_versions (
    experiment_id integer NOT NULL REFERENCES experiments (id),
    version integer NOT NULL,
    snapshot jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    reason text,
    PRIMARY KEY (experiment_id, version)
);

CREATE TABLE metrics (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    experiment_id integer NOT NULL REFERENCES experiments (id),
    key text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    type text NOT NULL,
    role text NOT NULL,
    direction text NOT NULL,
    event_type text NOT NULL,
    property_filter jsonb,
    aggregation text NOT NULL,
    window_seconds bigint CHECK (window_seconds > 0),
    cap numeric(18, 6),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (experiment_id, key, version)
);

-- The variant a unit was first given. user_id is the client's own id.
CREATE TABLE assignments (
    experiment_id integer NOT NULL,
    version integer NOT NULL, -- of the configuration it entered under
    assigned_at timestamptz NOT NULL,
    exposed_at timestamptz,
    unit_type text NOT NULL,
    user_id text NOT NULL,
    variant_key text NOT NULL,
    PRIMARY KEY (experiment_id, unit_type, user_id)
) WITH (fillfactor = 90); -- leaves room for exposed_at

-- No foreign keys: they would lock a row of experiments on every insert. The API knows the experiments.
CREATE TABLE events (
    day date NOT NULL, -- of the id where it is a UUIDv7, else of the timestamp
    id uuid NOT NULL,
    "timestamp" timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    experiment_id integer,
    user_id text NOT NULL,
    unit_type text NOT NULL,
    event_type text NOT NULL,
    variant_key text,
    session_id text,
    value numeric(18, 6),
    properties jsonb,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);

-- Finds a person's events for export and erasure by reading a few blocks. Costs ingest far less than a B-tree would.
CREATE INDEX events_user ON events USING brin (user_id text_bloom_ops) WITH (autosummarize = on);

CREATE TABLE outbox_events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    created_at timestamptz NOT NULL DEFAULT now(),
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    event_type text NOT NULL,
    payload jsonb NOT NULL,
    PRIMARY KEY (created_at, id)
) PARTITION BY RANGE (created_at);

-- An idle database must still move the replication slot: the connector inserts here.
CREATE TABLE heartbeat (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    beat_at timestamptz NOT NULL DEFAULT now()
);

CREATE PUBLICATION neonblue_outbox FOR TABLE outbox_events, heartbeat
    WITH (publish = 'insert', publish_via_partition_root = true);

CREATE TABLE api_tokens (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32), -- SHA-256
    scopes text [] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

-- What a request with an Idempotency-Key was answered, so that its repetition is answered alike.
CREATE TABLE idempotency_keys (
    token_id integer NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer,
    answer bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (token_id, key)
);

CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    action text NOT NULL,
    object_type text NOT NULL,
    object_id text NOT NULL,
    before jsonb,
    after jsonb,
    request_id text
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
