-- Drops a partition of the events or of the outbox, and says whether there was one. Its last day must be over for two
-- days in the outbox, for eight among the events: no setting keeps less.
CREATE FUNCTION drop_partition(name text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old record;
BEGIN
    SELECT child.oid, parent.relname AS parent,
        substring(pg_get_expr(child.relpartbound, child.oid) FROM 'TO \(''(\d{4}-\d\d-\d\d)')::date AS end_day
    INTO old
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    JOIN pg_class AS parent ON parent.oid = inhparent
    WHERE parent.oid IN ('public.events'::regclass, 'public.outbox_events'::regclass) AND child.relname = name;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF old.end_day IS NULL
        OR old.end_day > (now() AT TIME ZONE 'UTC')::date - (CASE old.parent WHEN 'events' THEN 8 ELSE 2 END)
    THEN
        RAISE EXCEPTION '% is too young to be dropped', name USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    EXECUTE format('DROP TABLE public.%I', name);
    RETURN true;
END
$$;

REVOKE ALL ON FUNCTION drop_partition(text) FROM PUBLIC;
