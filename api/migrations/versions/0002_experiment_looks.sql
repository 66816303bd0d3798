-- What was seen, spent and decided at each look at an experiment under its plan: no warehouse can make it anew.
CREATE TABLE experiment_looks (
    experiment_id integer NOT NULL REFERENCES experiments (id),
    number integer NOT NULL CHECK (number > 0), -- 1, 2, 3, …
    closed_to timestamptz NOT NULL, -- units and events up to here were judged
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- not now(): the transaction may have waited for its turn
    configuration_version integer NOT NULL,
    inference text NOT NULL CHECK (inference IN ('group_sequential', 'confidence_sequence')),
    planned_units bigint CHECK (planned_units > 0),
    alpha double precision NOT NULL CHECK (alpha > 0 AND alpha < 1),
    cells jsonb NOT NULL, -- LookCell of neonblue/contract/looks.py, each metric of each treatment
    PRIMARY KEY (experiment_id, number),
    UNIQUE (experiment_id, closed_to)
);

CREATE TRIGGER experiment_looks_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON experiment_looks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
