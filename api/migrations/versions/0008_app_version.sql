-- The version of the app that sent the event; null: it names none.
ALTER TABLE events ADD COLUMN app_version text;
