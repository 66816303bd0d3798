-- Drops a partition of the events, and says whether there was one. Its last day must be over for eight days: no setting
-- keeps less. Who writes events waits behind the drop, which waits behind who reads them: not longer than a second.
CREATE OR REPLACE FUNCTION drop_partition(name text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    old record;
BEGIN
    SELECT child.oid,
        substring(pg_get_expr(child.relpartbound, child.oid) FROM 'TO \(''(\d{4}-\d\d-\d\d)')::date AS end_day
    INTO old
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = 'public.events'::regclass AND child.relname = name;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF old.end_day IS NULL OR old.end_day > (now() AT TIME ZONE 'UTC')::date - 8 THEN
        RAISE EXCEPTION '% is too young to be dropped', name USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    EXECUTE format('DROP TABLE public.%I', name);
    RETURN true;
END
$$;
