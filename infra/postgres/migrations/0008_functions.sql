-- What plain SQL clients call.

-- A UUIDv8: six bytes of the command's id, then SHA-256('daybook-id/v1\n' || key || command_id || ordinal).
CREATE FUNCTION daybook.entry_id(key uuid, command_id uuid, ordinal integer) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT encode(
        set_byte(set_byte(raw, 6, (get_byte(raw, 6) & 15) | 128), 8, (get_byte(raw, 8) & 63) | 128), 'hex'
    )::uuid
    FROM (
        SELECT substring(uuid_send(command_id) FROM 1 FOR 6) || substring(
            sha256('\x646179626f6f6b2d69642f76310a'::bytea || uuid_send(key) || uuid_send(command_id) || int4send(ordinal))
            FROM 1 FOR 10
        ) AS raw
    ) AS cut
);

-- True once the position ('partition.position') is projected, false when timeout has passed; zero or less looks once.
-- With org_id it raises if that org is in quarantine: its rows would not change however long one waits.
-- Call it as a statement of its own: the statement after it sees what it waited for.
CREATE FUNCTION daybook.wait_for(
    "position" text, timeout interval DEFAULT '5 seconds', org_id uuid DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
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
        ) THEN
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
