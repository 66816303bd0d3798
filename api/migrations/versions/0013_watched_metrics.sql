-- Whether every running experiment is watched by it.
ALTER TABLE metrics ADD COLUMN watched boolean NOT NULL DEFAULT false;

-- By which metrics of the catalogue an experiment is watched beside its own guardrails: its own copy of each definition. A
-- row is never removed: the part of the error that its place has is spent.
CREATE TABLE experiment_watched (
    experiment_id integer NOT NULL REFERENCES experiments (id),
    metric_id integer NOT NULL,
    key text NOT NULL,
    version integer NOT NULL,
    definition jsonb NOT NULL, -- WatchedMessage without key, version, place, since and active
    place integer NOT NULL CHECK (place >= 0), -- 0: from the start; 1, 2, 3, …: in the order in which they came
    since integer NOT NULL, -- version of the configuration from which on units count
    active boolean NOT NULL DEFAULT true,
    PRIMARY KEY (experiment_id, metric_id),
    FOREIGN KEY (metric_id, version) REFERENCES metric_versions (metric_id, version)
);

CREATE INDEX experiment_watched_of_catalogue ON experiment_watched (metric_id, version);
