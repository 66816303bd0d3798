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
    linked uuid [] NOT NULL DEFAULT '{}', -- the erasures of the anonymous ids that were this person's
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

-- A person's ids before and after logging in. An anonymous id belongs to one person, whose id is nobody's anonymous one.
CREATE TABLE user_links (
    unit_type text NOT NULL,
    anonymous_id text NOT NULL,
    user_id text NOT NULL,
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (unit_type, anonymous_id),
    CHECK (anonymous_id <> user_id)
);

CREATE INDEX user_links_user_id ON user_links (unit_type, user_id);

-- Experiments that share a layer never share a unit: each has slots of its own.
CREATE TABLE layers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    name text,
    salt text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A share of all traffic that sees no experiment.
CREATE TABLE holdouts (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    name text,
    salt text NOT NULL,
    share integer NOT NULL CHECK (share BETWEEN 0 AND 10000), -- basis points of traffic
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE experiments (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    name text,
    hypothesis text,
    owner text,
    tags text [] NOT NULL DEFAULT '{}',
    source text NOT NULL DEFAULT 'internal' CHECK (source IN ('internal', 'external')),
    unit_type text NOT NULL DEFAULT 'user',
    population text NOT NULL DEFAULT 'exposed' CHECK (population IN ('exposed', 'assigned')),
    status text NOT NULL DEFAULT 'draft'
    CHECK (status IN ('draft', 'scheduled', 'running', 'paused', 'concluded', 'archived')),
    salt text NOT NULL,
    allocation integer NOT NULL DEFAULT 10000 CHECK (allocation BETWEEN 0 AND 10000), -- basis points of traffic
    layer_id integer REFERENCES layers (id),
    layer_start integer, -- basis points of the layer: from here
    layer_end integer, -- up to, not including, here
    holdouts text [], -- keys; null: all there are
    targeting text, -- a CEL expression over the unit's attributes
    planned_days integer CHECK (planned_days > 0),
    planned_units bigint CHECK (planned_units > 0),
    inference text CHECK (inference IN ('group_sequential', 'confidence_sequence')), -- null until the start
    scheduled_start_at timestamptz,
    scheduled_stop_at timestamptz,
    decision jsonb,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    concluded_at timestamptz,
    CHECK (scheduled_start_at < scheduled_stop_at),
    CHECK (num_nulls(layer_id, layer_start, layer_end) IN (0, 3)),
    CHECK (layer_start >= 0 AND layer_start < layer_end AND layer_end <= 10000),
    -- No two experiments that have not ended hold the same slot of a layer.
    CONSTRAINT experiments_slots_do_not_overlap EXCLUDE USING gist (
        int8range(layer_id::bigint * 10000 + layer_start, layer_id::bigint * 10000 + layer_end) WITH &&
    ) WHERE (layer_id IS NOT NULL AND status NOT IN ('concluded', 'archived'))
);

CREATE INDEX experiments_tags ON experiments USING gin (tags);
CREATE INDEX experiments_layer ON experiments (layer_id);

CREATE TABLE variants (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    experiment_id integer NOT NULL REFERENCES experiments (id),
    key text NOT NULL,
    name text,
    weight integer NOT NULL CHECK (weight > 0),
    is_control boolean NOT NULL DEFAULT false,
    active boolean NOT NULL DEFAULT true, -- false: dropped; its range enrols nobody
    position integer NOT NULL,
    payload jsonb,
    CHECK (active OR NOT is_control),
    UNIQUE (experiment_id, key)
);

CREATE UNIQUE INDEX variants_one_control ON variants (experiment_id) WHERE is_control;

-- Testers see the variant they ask for and are kept out of analysis. user_id is the client's own id.
CREATE TABLE forced_variants (
    experiment_id integer NOT NULL REFERENCES experiments (id),
    unit_type text NOT NULL,
    user_id text NOT NULL,
    variant_key text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (experiment_id, unit_type, user_id)
);

-- Every configuration that was ever saved: who made it, when and why, and the snapshot as it went down the stream.
CREATE TABLE experiment_versions (
    experiment_id integer NOT NULL REFERENCES experiments (id),
    version integer NOT NULL,
    action text NOT NULL,
    difference jsonb NOT NULL, -- {field: {"before", "after"}}
    snapshot jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    reason text,
    PRIMARY KEY (experiment_id, version)
);

-- The catalogue. What a metric means stands in its versions.
CREATE TABLE metrics (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    name text,
    description text,
    owner text,
    tags text [] NOT NULL DEFAULT '{}',
    latest integer NOT NULL DEFAULT 1, -- the newest version of its meaning
    version integer NOT NULL DEFAULT 1, -- of this row, for ETags
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE metric_versions (
    metric_id integer NOT NULL REFERENCES metrics (id),
    version integer NOT NULL,
    definition jsonb NOT NULL, -- MetricMessage without key and version
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    reason text,
    PRIMARY KEY (metric_id, version)
);

-- What an experiment measures: its own copy of each definition, whether from the catalogue or its own.
CREATE TABLE experiment_metrics (
    experiment_id integer NOT NULL REFERENCES experiments (id),
    position integer NOT NULL,
    key text NOT NULL,
    version integer NOT NULL,
    metric_id integer, -- null: defined by the experiment itself
    definition jsonb NOT NULL, -- MetricMessage without key and version
    PRIMARY KEY (experiment_id, key),
    FOREIGN KEY (metric_id, version) REFERENCES metric_versions (metric_id, version)
);

CREATE INDEX experiment_metrics_of_catalogue ON experiment_metrics (metric_id, version);

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
    hint text NOT NULL DEFAULT '', -- its first characters, to tell tokens apart
    scopes text [] NOT NULL CHECK (
        cardinality(scopes) > 0 AND scopes <@ '{admin, editor, viewer, ingest, assign}'::text []
    ),
    origins text [], -- of the web pages that may use it: it is publishable
    rate_limit integer CHECK (rate_limit > 0), -- requests a second; null: the setting's
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT 'system',
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz, -- to the minute
    CHECK (origins IS NULL OR scopes <@ '{ingest, assign}'::text [])
);

-- What a request with an Idempotency-Key was answered, so that its repetition is answered alike.
CREATE TABLE idempotency_keys (
    token_id integer NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer,
    headers jsonb,
    answer bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (token_id, key)
);

CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

CREATE TABLE audit_log (
    id bigint PRIMARY KEY, -- 1, 2, 3, …: the place in the chain
    at timestamptz NOT NULL,
    actor text NOT NULL,
    address text, -- of the client
    request_id text,
    action text NOT NULL,
    object_type text NOT NULL,
    object_id text NOT NULL,
    before jsonb,
    after jsonb,
    hash bytea NOT NULL -- SHA-256 over the hash before it and this row; see docs/decisions/0020-audit-chain.md
);

CREATE INDEX audit_log_object ON audit_log (object_type, object_id, id);

CREATE FUNCTION audit_field(value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(octet_length(convert_to(value, 'UTF8')) || ':' || value, '-') || ';'
$$;

CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_id bigint;
    last_hash bytea;
BEGIN
    -- One writer at a time, until its transaction ends: the next one sees this row or follows the one before it.
    PERFORM pg_advisory_xact_lock(6075131887020);
    SELECT id, hash INTO last_id, last_hash FROM audit_log ORDER BY id DESC LIMIT 1;
    NEW.id := coalesce(last_id, 0) + 1;
    NEW.at := clock_timestamp();
    NEW.hash := sha256(coalesce(last_hash, ''::bytea) || convert_to(
        audit_field(NEW.id::text) || audit_field((extract(epoch FROM NEW.at) * 1000000)::bigint::text)
        || audit_field(NEW.actor) || audit_field(NEW.address) || audit_field(NEW.request_id)
        || audit_field(NEW.action) || audit_field(NEW.object_type) || audit_field(NEW.object_id)
        || audit_field(NEW.before::text) || audit_field(NEW.after::text), 'UTF8'));
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_log_chain BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_chain();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
