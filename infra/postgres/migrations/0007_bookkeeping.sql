-- How far each partition is projected, which orgs stand still, and which chosen ids are taken.

-- No row: nothing of that partition is projected.
CREATE TABLE daybook.checkpoints (
    partition integer PRIMARY KEY CHECK (partition >= 0),
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    position bigint NOT NULL CHECK (position >= -1),
    hash text NOT NULL,
    head_offset bigint NOT NULL CHECK (head_offset >= -1),
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- An org is in quarantine while released_at is null. It may be one that orgs does not hold.
CREATE TABLE daybook.quarantine (
    org_id uuid PRIMARY KEY,
    partition integer NOT NULL,
    position bigint NOT NULL,
    reason text NOT NULL,
    generation integer NOT NULL DEFAULT 1,
    quarantined_at timestamptz NOT NULL DEFAULT now(),
    released_at timestamptz
);

CREATE TABLE daybook.reserved_ids (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL
);
