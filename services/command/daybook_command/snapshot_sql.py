"""The statements of a shard's look-up. All but `RESERVE` and `PIN_USERS` run in one REPEATABLE READ transaction."""

from typing import Final

# Before the snapshot: an id that a sender chose belongs to the first org that asked for it.
RESERVE: Final = """
    INSERT INTO daybook.reserved_ids (id, org_id)
    SELECT * FROM unnest($1::uuid[], $2::uuid[])
    ON CONFLICT DO NOTHING
"""

# Before the snapshot, where users are an identity provider's: a pinned user cannot go until it is projected.
PIN_USERS: Final = """
    INSERT INTO daybook.known_users (user_id)
    SELECT id FROM auth.users WHERE id = ANY($1::uuid[])
    ON CONFLICT DO NOTHING
"""

CHECKPOINTS: Final = """
    SELECT partition, next_offset, position, hash, head_offset
    FROM daybook.checkpoints WHERE partition = ANY($1::int[])
"""

# $1: first entry ids of the commands, $2: users, $3: orgs.
LOOK: Final = """
    SELECT
        pg_is_in_recovery() AS standby,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us,
        ARRAY(SELECT id::text FROM public.audit_log WHERE id = ANY($1::uuid[])) AS entry_ids,
        ARRAY(SELECT {user_column}::text FROM {users} WHERE {user_column} = ANY($2::uuid[])) AS users,
        ARRAY(
            SELECT ROW(org_id::text, generation, released_at IS NULL)
            FROM daybook.quarantine WHERE org_id = ANY($3::uuid[])
        ) AS quarantine
"""
LOOK_MANAGED: Final = LOOK.format(users="auth.users", user_column="id")
LOOK_EXTERNAL: Final = LOOK.format(users="daybook.known_users", user_column="user_id")

ENTRIES: Final = """
    SELECT id::text, org_id::text, project_id::text, actor_user_id::text, action, entity_type, entity_id::text,
           result, metadata_json
    FROM public.audit_log WHERE id = ANY($1::uuid[])
"""

ORGS: Final = "SELECT id::text, name FROM public.orgs WHERE id = ANY($1::uuid[])"
MEMBERS: Final = "SELECT org_id::text, user_id::text, role::text FROM public.org_members WHERE org_id = ANY($1::uuid[])"
PROJECTS: Final = "SELECT id::text, org_id::text, name FROM public.projects WHERE org_id = ANY($1::uuid[])"
PROJECT_MEMBERS: Final = """
    SELECT m.project_id::text, m.user_id::text, m.role
    FROM public.project_members m JOIN public.projects p ON p.id = m.project_id
    WHERE p.org_id = ANY($1::uuid[])
"""

RESERVED: Final = "SELECT id::text, org_id::text FROM daybook.reserved_ids WHERE id = ANY($1::uuid[])"
HOLDERS: Final = {"projects": "SELECT id::text, org_id::text FROM public.projects WHERE id = ANY($1::uuid[])"}
