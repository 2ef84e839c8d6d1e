-- What the live stream of an org's log asks.

-- Of these pairs of a user and an org, those whose user may read the org's log: the policies answer, with the role of a
-- reader and each user's claims in turn. Role and claims stay for the rest of the transaction. Only a login that may speak
-- for many users can take them; 0022_stream_grants.sql gives the function to no other.
CREATE FUNCTION daybook.log_readers(users uuid[], orgs uuid[]) RETURNS TABLE (user_id uuid, org_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = '' AS $$
BEGIN
    PERFORM pg_catalog.set_config('role', 'daybook_reader', true);
    FOR at IN 1..pg_catalog.cardinality(users) LOOP
        PERFORM pg_catalog.set_config(
            'request.jwt.claims', pg_catalog.json_build_object('sub', users[at], 'role', 'authenticated')::text, true
        );
        IF EXISTS (SELECT FROM public.audit_log AS a WHERE a.org_id = orgs[at]) THEN
            user_id := users[at];
            org_id := orgs[at];
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;

-- The time of the org's last entry up to a position, NULL if there is none. No index has positions, but they have the
-- order of the times: a bisection takes about 50 look-ups, however long the log is.
CREATE FUNCTION daybook.entry_time(org uuid, "position" bigint) RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = '' SET timezone = 'UTC' AS $$
DECLARE
    -- The entry looked for is not before `low`, and is before `high`.
    low timestamptz;
    high timestamptz;
    middle timestamptz;
    seen record;
BEGIN
    SELECT a.created_at, (a.metadata_json->>'position')::bigint AS at INTO seen
    FROM public.audit_log AS a WHERE a.org_id = org ORDER BY a.created_at LIMIT 1;
    IF NOT FOUND OR seen.at > entry_time."position" THEN
        RETURN NULL;
    END IF;
    low := seen.created_at;
    SELECT a.created_at, (a.metadata_json->>'position')::bigint AS at INTO seen
    FROM public.audit_log AS a WHERE a.org_id = org ORDER BY a.created_at DESC LIMIT 1;
    IF seen.at <= entry_time."position" THEN
        RETURN seen.created_at;
    END IF;
    high := seen.created_at;
    WHILE high - low > interval '1 microsecond' LOOP
        middle := low + (high - low) / 2;
        SELECT a.created_at, (a.metadata_json->>'position')::bigint AS at INTO seen
        FROM public.audit_log AS a WHERE a.org_id = org AND a.created_at <= middle ORDER BY a.created_at DESC LIMIT 1;
        IF seen.at <= entry_time."position" THEN
            low := middle;
        ELSE
            high := seen.created_at;
        END IF;
    END LOOP;
    RETURN low;
END
$$;
