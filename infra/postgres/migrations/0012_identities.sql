-- What identifies an entry, for plain SQL clients: its id, the id of what it creates, and the entries of a command.

DROP FUNCTION daybook.entry_id(uuid, uuid, integer);

-- A UUIDv8 over an entry's identity: its first id (recipe 1) begins with six bytes of the command's id, of its second
-- (recipe 2) all but the fixed bits are hashed. NULL where a part is missing; only outsiders' entries have the actor.
CREATE FUNCTION daybook.hashed_id(recipe integer, key uuid, command_id uuid, ordinal integer, scope text, actor uuid)
RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT encode(
        set_byte(set_byte(raw, 6, (get_byte(raw, 6) & 15) | 128), 8, (get_byte(raw, 8) & 63) | 128), 'hex'
    )::uuid
    FROM (
        SELECT substring(
            CASE recipe WHEN 1 THEN substring(uuid_send(command_id) FROM 1 FOR 6) ELSE ''::bytea END || sha256(
                convert_to('daybook-id/v' || recipe || E'\n' || scope || E'\n', 'UTF8') || uuid_send(key)
                || CASE scope WHEN 'outsider' THEN uuid_send(actor) ELSE decode(repeat('00', 16), 'hex') END
                || uuid_send(command_id) || int4send(ordinal)
            ) FROM 1 FOR 16
        ) AS raw
    ) AS cut
);

CREATE FUNCTION daybook.entry_id(
    key uuid, command_id uuid, ordinal integer DEFAULT 0, scope text DEFAULT 'org', actor uuid DEFAULT NULL
) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN daybook.hashed_id(1, key, command_id, ordinal, scope, actor);

-- The id of what a command on an org creates, unless a service chose one.
CREATE FUNCTION daybook.thing_id(key uuid, command_id uuid) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN daybook.hashed_id(2, key, command_id, 0, 'org', NULL);

-- The row of one entry. Two entries can have one first id; then one of them has its row under its second id. So an id
-- alone proves nothing, and what identifies the entry is compared.
CREATE FUNCTION daybook.find_entry(key uuid, command_id uuid, ordinal integer, scope text, actor uuid)
RETURNS SETOF public.audit_log
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT a.* FROM public.audit_log AS a
    WHERE a.id IN (
            daybook.hashed_id(1, key, command_id, ordinal, scope, actor),
            daybook.hashed_id(2, key, command_id, ordinal, scope, actor)
        )
        AND a.metadata_json @> jsonb_build_object(
            'scope', scope, 'key', key, 'command_id', command_id, 'ordinal', ordinal
        )
        AND (
            scope <> 'outsider'
            OR coalesce(a.actor_user_id::text, a.metadata_json->'data'->>'actor_user_id') = actor::text
        )
    ORDER BY a.id = daybook.hashed_id(1, key, command_id, ordinal, scope, actor) DESC
    LIMIT 1;
END;

-- The entries of a command by ordinal, none if it is not projected: the actor's, if one is given and was refused as an
-- outsider, else the key's own. What Daybook's own timeouts did has no outcome.
CREATE FUNCTION daybook.outcome(key uuid, command_id uuid, actor uuid DEFAULT NULL) RETURNS SETOF public.audit_log
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SECURITY INVOKER SET search_path = '' AS $$
DECLARE
    tried text;
    entries integer;
BEGIN
    FOREACH tried IN ARRAY CASE WHEN actor IS NULL THEN '{org,user}' ELSE '{outsider,org,user}' END::text[] LOOP
        SELECT CASE WHEN e.metadata_json @? '$.entries ? (@ >= 1 && @ <= 1000)'
            THEN (e.metadata_json->>'entries')::numeric ELSE 1 END
        INTO entries FROM daybook.find_entry(key, command_id, 0, tried, actor) AS e;
        IF FOUND THEN
            RETURN QUERY SELECT e.* FROM generate_series(0, entries - 1) AS n,
                daybook.find_entry(key, command_id, n, tried, actor) AS e ORDER BY n;
            RETURN;
        END IF;
    END LOOP;
END
$$;

-- Which connection an alert is about stands in its entry alone. Few entries raise alerts: the others pay nothing.
CREATE INDEX audit_log_raised_alerts ON public.audit_log (entity_id, created_at)
    WHERE action = 'RAISE_ALERT' AND result = 'success';
