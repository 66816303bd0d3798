-- Where retention has cut the audit log: the last row that went, and its hash, which the first that is left follows.
CREATE TABLE audit_cuts (
    row_id bigint PRIMARY KEY,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    last_at timestamptz NOT NULL, -- of that row
    cut_at timestamptz NOT NULL DEFAULT now()
);

CREATE TRIGGER audit_cuts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_cuts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_uncut() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.id > coalesce((SELECT max(row_id) FROM public.audit_cuts), 0) THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END
$$;

DROP TRIGGER audit_log_append_only ON audit_log;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_uncut BEFORE DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_uncut();

-- Cuts rows older than so many days off the beginning, `most` at a time, and says how many. The newest row stays: the next
-- one follows it. A row that was changed is not buried: from it on nothing goes.
CREATE FUNCTION cut_audit_log(days integer, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    cut record;
    last_id bigint;
    broken bigint;
BEGIN
    IF days IS NULL OR days < 30 OR most IS NULL OR most < 1 THEN
        RAISE EXCEPTION 'the audit log is kept for 30 days at least' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(6075131887021);
    SELECT row_id, hash INTO cut FROM public.audit_cuts ORDER BY row_id DESC LIMIT 1;
    SELECT least(
        (SELECT id FROM public.audit_log WHERE at >= now() - make_interval(days => days) ORDER BY id LIMIT 1) - 1,
        (SELECT max(id) FROM public.audit_log) - 1,
        coalesce(cut.row_id, 0) + most
    ) INTO last_id;
    IF last_id IS NULL OR last_id <= coalesce(cut.row_id, 0) THEN
        RETURN 0;
    END IF;
    SELECT min(coalesce(following.id, places.id)) INTO broken
    FROM generate_series(coalesce(cut.row_id, 0) + 1, last_id) AS places (id)
    LEFT JOIN (
        SELECT id, hash, sha256(
            coalesce(lag(hash) OVER (ORDER BY id), cut.hash, ''::bytea) || convert_to(
                public.audit_field(id::text) || public.audit_field((extract(epoch FROM at) * 1000000)::bigint::text)
                || public.audit_field(actor) || public.audit_field(address) || public.audit_field(request_id)
                || public.audit_field(action) || public.audit_field(object_type) || public.audit_field(object_id)
                || public.audit_field(before::text) || public.audit_field(after::text), 'UTF8')
        ) AS wanted
        FROM public.audit_log WHERE id <= last_id
    ) AS following ON following.id = places.id
    WHERE following.id IS NULL OR following.hash <> following.wanted;
    last_id := least(last_id, broken - 1);
    IF last_id <= coalesce(cut.row_id, 0) THEN
        RETURN 0;
    END IF;
    INSERT INTO public.audit_cuts (row_id, hash, last_at) SELECT id, hash, at FROM public.audit_log WHERE id = last_id;
    DELETE FROM public.audit_log WHERE id <= last_id;
    RETURN last_id - coalesce(cut.row_id, 0);
END
$$;

REVOKE ALL ON FUNCTION cut_audit_log(integer, integer) FROM PUBLIC;
