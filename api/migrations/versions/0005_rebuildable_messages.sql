-- Null in rows of older versions: such an assignment is made anew as received when it was assigned, without attributes.
ALTER TABLE assignments
ADD COLUMN received_at timestamptz, -- when the API took it; assigned_at may be the client's
ADD COLUMN attributes jsonb; -- the unit's, as they came with the assignment

-- cityHash64 of unit type and id, by which ClickHouse finds the person's rows; kept as long as `person`. Null until
-- ClickHouse has told it.
ALTER TABLE erasures ADD COLUMN person_key numeric(20);

-- The last message on each draft that was deleted: nothing else is left of it here.
CREATE TABLE deleted_drafts (
    experiment_id integer PRIMARY KEY,
    snapshot jsonb NOT NULL
);
