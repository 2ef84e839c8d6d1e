"""The schema created by the migrations, read from the catalogue, equals the data dictionary."""

import asyncpg
import pytest

from daybook_infra.runtime.postgres.connections import OwnConnection

UUID, TEXT, TIME, JSON = "uuid", "text", "timestamp with time zone", "jsonb"
SHARED = True
# The type of each column, and whether it is nullable.
TABLES = {
    "orgs": {"id": (UUID, False), "name": (TEXT, False), "created_at": (TIME, False)},
    "org_members": {
        "org_id": (UUID, False),
        "user_id": (UUID, False),
        "role": ("org_role", False),
        "created_at": (TIME, False),
    },
    "projects": {"id": (UUID, False), "org_id": (UUID, False), "name": (TEXT, False), "created_at": (TIME, False)},
    "project_members": {
        "project_id": (UUID, False),
        "user_id": (UUID, False),
        "role": (TEXT, False),
        "created_at": (TIME, False),
    },
    "audit_log": {
        "id": (UUID, False),
        "org_id": (UUID, True),
        "project_id": (UUID, True),
        "actor_user_id": (UUID, True),
        "action": (TEXT, False),
        "entity_type": (TEXT, False),
        "entity_id": (UUID, False),
        "result": (TEXT, False),
        "metadata_json": (JSON, False),
        "created_at": (TIME, False),
    },
    "source_connections": {
        "id": (UUID, False),
        "org_id": (UUID, False),
        "project_id": (UUID, False),
        "type": (TEXT, False),
        "name": (TEXT, False),
        "config_json": (JSON, False),
        "is_active": ("boolean", False),
    },
    "sync_runs": {
        "id": (UUID, False),
        "connection_id": (UUID, False),
        "status": (TEXT, False),
        "started_at": (TIME, False),
        "finished_at": (TIME, True),
        "error_message": (TEXT, True),
    },
    "dlq_events": {
        "id": (UUID, False),
        "connection_id": (UUID, False),
        "payload_json": (JSON, False),
        "status": (TEXT, False),
        "retry_count": ("integer", False),
    },
    "integration_alerts": {
        "id": (UUID, False),
        "project_id": (UUID, False),
        "severity": (TEXT, False),
        "message": (TEXT, False),
    },
    "secret_refs": {
        "id": (UUID, False),
        "org_id": (UUID, False),
        "key_name": (TEXT, False),
        "secret_id_ref": (TEXT, False),
    },
}
USERS = "FOREIGN KEY (%s) REFERENCES auth.users(id) ON DELETE RESTRICT"
CONNECTION = "FOREIGN KEY (connection_id) REFERENCES source_connections(id) ON DELETE CASCADE"
ORG, PROJECT = "FOREIGN KEY (org_id) REFERENCES orgs(id)", "FOREIGN KEY (project_id) REFERENCES projects(id)"
KEYS = {
    "orgs": {"PRIMARY KEY (id)"},
    "org_members": {"PRIMARY KEY (org_id, user_id)", ORG, USERS % "user_id"},
    "projects": {"PRIMARY KEY (id)", ORG},
    "project_members": {"PRIMARY KEY (project_id, user_id)", PROJECT, USERS % "user_id"},
    "audit_log": {"PRIMARY KEY (id)", ORG, PROJECT, USERS % "actor_user_id"},
    "source_connections": {"PRIMARY KEY (id)", ORG, PROJECT},
    "sync_runs": {"PRIMARY KEY (id)", CONNECTION},
    "dlq_events": {"PRIMARY KEY (id)", CONNECTION},
    "integration_alerts": {"PRIMARY KEY (id)", PROJECT},
    "secret_refs": {"PRIMARY KEY (id)", "UNIQUE (org_id, key_name)", ORG},
}
COLUMNS = """
SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type,
    NOT a.attnotnull AS nullable
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text AS table, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f')
"""
ROLES = "SELECT enumlabel FROM pg_enum WHERE enumtypid = 'org_role'::regtype ORDER BY enumsortorder"
ORG_ROW = "INSERT INTO orgs VALUES ('00000000-0000-4000-8000-000000000001', 'x', now())"
PROJECT_ROW = """
INSERT INTO projects VALUES ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', 'x', now())
"""
CONNECTION_ROW = """
INSERT INTO source_connections VALUES ('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-000000000001',
    '00000000-0000-4000-8000-000000000002', 'hotmart', 'x', '{}', true)
"""
ENTRY_ROW = """
INSERT INTO audit_log
VALUES (gen_random_uuid(), null, null, null, 'A', 'org', gen_random_uuid(), 'success', '{}', now())
"""
RUN_ROW = """
INSERT INTO sync_runs VALUES (gen_random_uuid(), '00000000-0000-4000-8000-000000000003', 'running', now(), null, null)
"""
LETTER_ROW = """
INSERT INTO dlq_events VALUES (gen_random_uuid(), '00000000-0000-4000-8000-000000000003', '{}', 'pending', 0)
"""
# An alert and a membership with a value that their column does not allow.
ALERT_ROW = """
INSERT INTO integration_alerts VALUES (gen_random_uuid(), '00000000-0000-4000-8000-000000000002', 'fatal', 'x')
"""
PROJECT_MEMBER_ROW = """
INSERT INTO project_members VALUES ('00000000-0000-4000-8000-000000000002', gen_random_uuid(), 'owner', now())
"""


async def test_the_tables_have_exactly_the_columns_of_the_data_dictionary(database: OwnConnection) -> None:
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for row in await database.fetch(COLUMNS):
        found.setdefault(row["table"], {})[row["column"]] = (row["type"], row["nullable"])
    assert found == TABLES
    assert [list(columns) for columns in found.values()] == [list(TABLES[name]) for name in found]


async def test_keys_and_references_are_those_of_the_data_dictionary(database: OwnConnection) -> None:
    found: dict[str, set[str]] = {}
    for row in await database.fetch(CONSTRAINTS):
        found.setdefault(row["table"], set()).add(row["definition"])
    assert found == KEYS


async def test_org_roles_are_an_enum(database: OwnConnection) -> None:
    assert [row["enumlabel"] for row in await database.fetch(ROLES)] == ["owner", "admin", "member", "viewer"]


@pytest.mark.parametrize("change", ["UPDATE audit_log SET action = 'B'", "DELETE FROM audit_log", "TRUNCATE audit_log"])
@pytest.mark.parametrize("role", ["origin", "replica"])
async def test_the_audit_log_refuses_every_change(database: OwnConnection, change: str, role: str) -> None:
    await database.execute(ENTRY_ROW)
    await database.execute(f"SET LOCAL session_replication_role = {role}")
    with pytest.raises(asyncpg.RestrictViolationError, match="audit_log is append-only"):
        await database.execute(change)


@pytest.mark.parametrize(
    "row",
    [
        RUN_ROW.replace("running", "paused"),
        LETTER_ROW.replace("pending", "lost"),
        LETTER_ROW.replace("0)", "-1)"),
        ENTRY_ROW.replace("success", "maybe"),
        ALERT_ROW,
        PROJECT_MEMBER_ROW,
    ],
)
async def test_an_invalid_value_is_refused(database: OwnConnection, row: str) -> None:
    for parent in (ORG_ROW, PROJECT_ROW, CONNECTION_ROW):
        await database.execute(parent)
    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute(row)


async def test_runs_and_dead_letters_are_deleted_with_their_connection(database: OwnConnection) -> None:
    for row in (ORG_ROW, PROJECT_ROW, CONNECTION_ROW, RUN_ROW, LETTER_ROW):
        await database.execute(row)
    await database.execute("DELETE FROM source_connections")
    assert await database.fetchval("SELECT count(*) FROM sync_runs") == 0
    assert await database.fetchval("SELECT count(*) FROM dlq_events") == 0


async def test_a_pinned_user_cannot_be_deleted(database: OwnConnection) -> None:
    await database.execute("INSERT INTO auth.users VALUES ('00000000-0000-4000-8000-000000000009', now())")
    await database.execute("INSERT INTO daybook.known_users VALUES ('00000000-0000-4000-8000-000000000009')")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="known_users"):
        await database.execute("DELETE FROM auth.users")
