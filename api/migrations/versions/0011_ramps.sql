-- How the enrolment was before the experiment was rolled back; null: it was not.
ALTER TABLE experiments
ADD COLUMN rolled_back_from text CHECK (rolled_back_from IN ('open', 'closed'));

-- The steps by which an experiment's allocation grows by itself, and where that is.
CREATE TABLE experiment_ramps (
    experiment_id integer PRIMARY KEY REFERENCES experiments (id),
    steps jsonb NOT NULL, -- [{allocation, hold, units}]
    on_breach text NOT NULL CHECK (on_breach IN ('hold', 'pause', 'roll_back')),
    release_variant text, -- shipped when the last step has held; null: nothing is
    position integer NOT NULL CHECK (position >= 0), -- steps that were taken
    step_since timestamptz, -- when the allocation became what it is; null: it has not started
    held text, -- why; null: it goes on
    closed boolean NOT NULL DEFAULT false, -- whether taking the ramp back closed the enrolment
    waits text -- why the last look took no step; null: none has looked since the last one
);
