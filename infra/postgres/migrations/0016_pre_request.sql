-- Reading one's own writes, now without rights on the tables of schema daybook: by wait_for, and over PostgREST.

-- Whether the role that calls sees this org's rows. Functions that run as the owner ask it. current_user is the owner
-- there, so that the role is taken from the settings; SET ROLE checks what they say.
CREATE FUNCTION daybook.may_see(org_id uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    reader name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    owner oid := (SELECT c.relowner FROM pg_catalog.pg_class AS c WHERE c.oid = 'public.orgs'::regclass);
BEGIN
    RETURN pg_catalog.pg_has_role(reader, owner, 'USAGE')
        OR coalesce(pg_catalog.pg_has_role(reader, pg_catalog.to_regrole('daybook_auditor'), 'USAGE'), false)
        OR (SELECT r.rolbypassrls FROM pg_catalog.pg_roles AS r WHERE r.rolname = reader)
        OR may_see.org_id = ANY (daybook.my_orgs());
END
$$;

-- As in 0008_functions.sql, but that it runs as the owner, and raises for a quarantine only if the caller may see the org.
CREATE OR REPLACE FUNCTION daybook.wait_for(
    "position" text, timeout interval DEFAULT '5 seconds', org_id uuid DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + wait_for.timeout;
    wanted_partition integer;
    wanted_position bigint;
    pause double precision := 0.002;
BEGIN
    IF wait_for."position" IS NULL OR wait_for."position" !~ '^[0-9]{1,9}\.[0-9]{1,18}$' THEN
        RAISE EXCEPTION 'malformed position %: expected partition.position, as in 3.1042',
            coalesce(quote_literal(wait_for."position"), 'NULL') USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF deadline IS NULL THEN
        RAISE EXCEPTION 'the timeout must not be NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'daybook.wait_for needs READ COMMITTED: a % transaction never sees what is projected later',
            upper(current_setting('transaction_isolation')) USING ERRCODE = 'invalid_transaction_state';
    END IF;
    wanted_partition := split_part(wait_for."position", '.', 1);
    wanted_position := split_part(wait_for."position", '.', 2);
    LOOP
        IF EXISTS (
            SELECT FROM daybook.quarantine AS q WHERE q.org_id = wait_for.org_id AND q.released_at IS NULL
        ) AND daybook.may_see(wait_for.org_id) THEN
            RAISE EXCEPTION 'org % is in quarantine: its tables stand still', wait_for.org_id
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        IF EXISTS (
            SELECT FROM daybook.checkpoints AS c WHERE c.partition = wanted_partition AND c.position >= wanted_position
        ) THEN
            RETURN true;
        END IF;
        EXIT WHEN clock_timestamp() >= deadline;
        PERFORM pg_sleep(least(pause, extract(epoch FROM deadline - clock_timestamp())));
        pause := least(pause * 1.5, 0.05);
    END LOOP;
    RETURN false;
END
$$;

-- For PostgREST's db-pre-request: with a header such as `daybook-after: 3.1042`, the request reads what is projected up to
-- that position. PostgREST answers PT504 with status 504, and a malformed position with 400.
CREATE FUNCTION daybook.pre_request() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = '' AS $$
DECLARE
    after text := nullif(current_setting('request.headers', true), '')::json ->> 'daybook-after';
BEGIN
    IF after IS NOT NULL AND NOT daybook.wait_for(after, interval '2 seconds') THEN
        RAISE EXCEPTION 'position % is not in the tables yet', after
            USING ERRCODE = 'PT504', HINT = 'Send the request again.';
    END IF;
END
$$;

-- Its body names nothing, but the setting keeps checkers of schemas quiet.
ALTER FUNCTION daybook.refuse_change() SET search_path = '';
