-- release: {variant_key, share, population}; null: as the decision says.
ALTER TABLE experiments
ADD COLUMN enrolment text NOT NULL DEFAULT 'open' CHECK (enrolment IN ('open', 'closed')),
ADD COLUMN outside text NOT NULL DEFAULT 'control' CHECK (outside IN ('control', 'null')),
ADD COLUMN release jsonb;
