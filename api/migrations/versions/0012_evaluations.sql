-- How often each key was asked for. No foreign key: its check would have the counting wait for whoever changes the experiment.
-- Counts alone change, and no index holds them: half of each page is left for their next versions.
CREATE TABLE evaluations (
    experiment_id integer NOT NULL,
    hour timestamptz NOT NULL,
    variant_key text NOT NULL, -- empty: none
    reason text NOT NULL,
    count bigint NOT NULL CHECK (count > 0),
    first_at timestamptz NOT NULL, -- first_at and last_at: to the five seconds in which a process sums up
    last_at timestamptz NOT NULL,
    PRIMARY KEY (experiment_id, hour, variant_key, reason)
) WITH (fillfactor = 50);

CREATE INDEX evaluations_hour ON evaluations (hour); -- for retention

-- One row: from when on there are counts. Before that nothing is known of any key.
CREATE TABLE evaluations_since (
    since timestamptz NOT NULL DEFAULT now()
);
INSERT INTO evaluations_since DEFAULT VALUES;
