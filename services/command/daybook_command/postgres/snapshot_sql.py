"""The statements of a shard's look-up, except for those in child_sql.py. They run in one REPEATABLE READ transaction,
except for `RESERVE`, `PIN_USERS`, `PINNED_USERS`, `CLOCK` and `OVERDUE`. If a look-up needs nothing but `known`, it
needs no transaction.
"""

from functools import cache
from typing import Final

from daybook_command.postgres.child_sql import FILTERS, PARAMETER, array_of, child_columns
from daybook_infra.runtime.postgres.checkpoints import CHECKPOINTS

# Runs before the snapshot. An id that a sender chose belongs to the first org that reserved it.
RESERVE: Final = """
    INSERT INTO daybook.reserved_ids (id, org_id)
    SELECT * FROM unnest($1::uuid[], $2::uuid[])
    ON CONFLICT DO NOTHING
"""

# Runs after the decision, if an identity provider manages the users. A pinned user cannot be deleted before the entries
# that name the user are projected.
PIN_USERS: Final = """
    INSERT INTO daybook.known_users (user_id)
    SELECT id FROM auth.users WHERE id = ANY($1::uuid[])
    ON CONFLICT DO NOTHING
"""
PINNED_USERS: Final = "SELECT user_id::text FROM daybook.known_users WHERE user_id = ANY($1::uuid[])"

CLOCK: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

# `claimed_actor`: the actor that the command named, if the tables had no such user. An answer needs nothing else of an
# entry's `data`, which may be large.
ENTRIES: Final = """
    SELECT id::text, org_id::text, project_id::text, actor_user_id::text, action, entity_type, entity_id::text,
           result, jsonb_set(metadata_json, '{data}',
               jsonb_build_object('actor_user_id', metadata_json #>> '{data,actor_user_id}'), false) AS metadata_json,
           metadata_json ->> 'scope' AS scope, metadata_json ->> 'key' AS key,
           metadata_json ->> 'command_id' AS command_id, metadata_json ->> 'ordinal' AS ordinal,
           metadata_json #>> '{data,actor_user_id}' AS claimed_actor
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

# Configs may be large, so only the part that names secret references is read.
CONNECTIONS: Final = """
    SELECT id::text, org_id::text, project_id::text, type, name, is_active, config_json -> 'secrets' AS secrets
    FROM public.source_connections WHERE org_id = ANY($1::uuid[])
"""
REFERENCES: Final = """
    SELECT id::text, org_id::text, key_name, sha256(convert_to(secret_id_ref, 'UTF8')) AS digest
    FROM public.secret_refs WHERE org_id = ANY($1::uuid[])
"""

# $1: seconds; $2, $3: start and id of the last run of the previous look-up; $4: how many. Oldest first, without orgs in
# quarantine.
OVERDUE: Final = """
    SELECT c.org_id::text, r.id::text, r.started_at::text
    FROM public.sync_runs r JOIN public.source_connections c ON c.id = r.connection_id
    WHERE r.status = 'running' AND r.started_at < now() - make_interval(secs => $1)
        AND (r.started_at, r.id) > ($2::text::timestamptz, $3::uuid)
        AND NOT EXISTS (SELECT FROM daybook.quarantine q WHERE q.org_id = c.org_id AND q.released_at IS NULL)
    ORDER BY r.started_at, r.id LIMIT $4
"""

_OF_CONNECTION: Final = """
    SELECT t.id::text, c.org_id::text FROM public.{table} t JOIN public.source_connections c ON c.id = t.connection_id
    WHERE t.id = ANY($1::uuid[])
"""
# For each table, the statement that finds which of the ids $1 it has, and the orgs that hold them.
HOLDERS_BY_TABLE: Final = {
    "projects": "SELECT id::text, org_id::text FROM public.projects WHERE id = ANY($1::uuid[])",
    "source_connections": "SELECT id::text, org_id::text FROM public.source_connections WHERE id = ANY($1::uuid[])",
    "sync_runs": _OF_CONNECTION.format(table="sync_runs"),
    "dlq_events": _OF_CONNECTION.format(table="dlq_events"),
    "integration_alerts": """
        SELECT a.id::text, p.org_id::text FROM public.integration_alerts a JOIN public.projects p ON p.id = a.project_id
        WHERE a.id = ANY($1::uuid[])
    """,
    "secret_refs": "SELECT id::text, org_id::text FROM public.secret_refs WHERE id = ANY($1::uuid[])",
}
RESERVATIONS: Final = "reserved_ids"
_RESERVED: Final = "SELECT id::text, org_id::text FROM daybook.reserved_ids WHERE id = ANY($1::uuid[])"
_HOLDERS: Final = " UNION ALL ".join(
    f"SELECT '{table}' AS holder, h.* FROM ({rows}) AS h"  # noqa: S608 - constants
    for table, rows in {RESERVATIONS: _RESERVED, **HOLDERS_BY_TABLE}.items()
)

# $1: first ids of the entries that the commands may have, $2: users, $3: orgs, $4: partitions, or NULL for all, from $5
# on: ids of children.
_KNOWN: Final = """
    SELECT
        pg_is_in_recovery() AS standby,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us,
        ARRAY(SELECT id::text FROM public.audit_log WHERE id = ANY($1::uuid[])) AS entry_ids,
        ARRAY(SELECT id::text FROM auth.users WHERE id = ANY($2::uuid[])) AS users,
        ARRAY(SELECT user_id::text FROM daybook.known_users WHERE user_id = ANY($2::uuid[])) AS pinned,
        ARRAY(
            SELECT ROW(org_id::text, generation, released_at IS NULL)
            FROM daybook.quarantine WHERE org_id = ANY($3::uuid[])
        ) AS quarantine,
"""
_OPTIONAL: Final = {"holders": _HOLDERS, **FILTERS}


@cache
def known(optional: tuple[str, ...]) -> str:
    """The statement with which every look-up begins. `optional`: further columns, "holders" ($1: chosen ids) and those
    of FILTERS; their parameters follow in this order.
    """
    columns = [array_of("checkpoints", CHECKPOINTS, 4), child_columns(5)]
    first = 9
    for name in optional:
        columns.append(array_of(name, _OPTIONAL[name], first))
        first += len(set(PARAMETER.findall(_OPTIONAL[name])))
    return _KNOWN + ", ".join(columns)
