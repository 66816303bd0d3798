-- Null where the client did not say when it sent the event. "timestamp" is the client's time and clock_offset, microseconds.
ALTER TABLE events
ADD COLUMN sent_at timestamptz,
ADD COLUMN clock_offset bigint;
