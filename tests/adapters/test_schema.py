"""The schema created by the migrations, read from the catalogue, equals the data dictionary and docs/tables.md."""

import re

import asyncpg
import pytest

from daybook_infra.runtime.postgres.connections import OwnConnection
from support.documents import page, section
from support.planted_rows import Rows, plant
from support.tables import SCHEMA

SHARED_DATABASE = True
TYPES = {"time": "timestamp with time zone"}
"""PostgreSQL's name of a type, if the data dictionary has another name for it."""
USERS = "FOREIGN KEY (%s) REFERENCES auth.users(id) ON DELETE RESTRICT"
CONNECTION = "FOREIGN KEY (connection_id) REFERENCES source_connections(id) ON DELETE CASCADE"
ORG, PROJECT = "FOREIGN KEY (org_id) REFERENCES orgs(id)", "FOREIGN KEY (project_id) REFERENCES projects(id)"
KEYS = {
    "orgs": set(),
    "org_members": {ORG, USERS % "user_id"},
    "projects": {ORG},
    "project_members": {PROJECT, USERS % "user_id"},
    "audit_log": {ORG, PROJECT, USERS % "actor_user_id"},
    "source_connections": {ORG, PROJECT},
    "sync_runs": {CONNECTION},
    "dlq_events": {CONNECTION},
    "integration_alerts": {PROJECT},
    "secret_refs": {"UNIQUE (org_id, key_name)", ORG},
}
"""The foreign keys and unique keys of each table, without its primary key."""
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
BOOKKEEPING = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'daybook'"
# On the page: the name of a column, an optional type, and a `?` if it is nullable.
COLUMN = re.compile(r"`(\w+)`(?: \w+)?(\?)?")
ROLES = "SELECT enumlabel FROM pg_enum WHERE enumtypid = 'org_role'::regtype ORDER BY enumsortorder"
ORG_ID, PROJECT_ID, CONNECTION_ID, OTHER_ID = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(1, 5))
PARENTS: Rows = {
    "orgs": [(ORG_ID, "x", "now")],
    "projects": [(PROJECT_ID, ORG_ID, "x", "now")],
    "source_connections": [(CONNECTION_ID, ORG_ID, PROJECT_ID, "hotmart", "x", {}, True)],
}


async def test_the_tables_have_exactly_the_columns_of_the_data_dictionary(database: OwnConnection) -> None:
    found: dict[str, list[tuple[str, str, bool]]] = {name: [] for name in KEYS}
    for table, *column in await database.fetch(COLUMNS):
        found[table].append(tuple(column))
    assert found == {
        name: [(column.name, TYPES.get(column.type, column.type), column.is_nullable) for column in SCHEMA[name]]
        for name in KEYS
    }


async def test_keys_and_references_are_those_of_the_data_dictionary(database: OwnConnection) -> None:
    found: dict[str, set[str]] = {}
    for row in await database.fetch(CONSTRAINTS):
        found.setdefault(row["table"], set()).add(row["definition"])
    primary = {name: ", ".join(column.name for column in SCHEMA[name] if column.is_key) for name in KEYS}
    assert found == {name: {f"PRIMARY KEY ({primary[name]})", *others} for name, others in KEYS.items()}


async def test_the_page_on_tables_has_the_columns_of_the_tables(database: OwnConnection) -> None:
    text = page("docs/tables.md")
    described = {
        (table, column, nullable == "?")
        for table, columns in re.findall(r"^\| `(\w+)` \| (.*?) \| PK", section(text, "The ten tables"), re.MULTILINE)
        for column, nullable in COLUMN.findall(columns)
    }
    assert described == {(name, column.name, column.is_nullable) for name in KEYS for column in SCHEMA[name]}
    bookkeeping = {row[0] for row in await database.fetch(BOOKKEEPING)}
    assert set(re.findall(r"^\| `(\w+)` \|", section(text, "Schema daybook"), re.MULTILINE)) == bookkeeping


async def test_org_roles_are_an_enum(database: OwnConnection) -> None:
    assert [row["enumlabel"] for row in await database.fetch(ROLES)] == ["owner", "admin", "member", "viewer"]


@pytest.mark.parametrize("change", ["UPDATE audit_log SET action = 'B'", "DELETE FROM audit_log", "TRUNCATE audit_log"])
@pytest.mark.parametrize("role", ["origin", "replica"])
async def test_the_audit_log_refuses_every_change(database: OwnConnection, change: str, role: str) -> None:
    await plant(database, {"audit_log": [(OTHER_ID, None, None, None, "A", "org", OTHER_ID, "success", {}, "now")]})
    await database.execute(f"SET LOCAL session_replication_role = {role}")
    with pytest.raises(asyncpg.RestrictViolationError, match="audit_log is append-only"):
        await database.execute(change)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("sync_runs", (OTHER_ID, CONNECTION_ID, "paused", "now", None, None)),
        ("dlq_events", (OTHER_ID, CONNECTION_ID, {}, "lost", 0)),
        ("dlq_events", (OTHER_ID, CONNECTION_ID, {}, "pending", -1)),
        ("audit_log", (OTHER_ID, None, None, None, "A", "org", OTHER_ID, "maybe", {}, "now")),
        ("integration_alerts", (OTHER_ID, PROJECT_ID, "fatal", "x")),
        ("project_members", (PROJECT_ID, OTHER_ID, "owner", "now")),
    ],
)
async def test_an_invalid_value_is_refused(database: OwnConnection, table: str, row: tuple[object, ...]) -> None:
    await plant(database, PARENTS)
    with pytest.raises(asyncpg.CheckViolationError):
        await plant(database, {table: [row]})


async def test_runs_and_dead_letters_are_deleted_with_their_connection(database: OwnConnection) -> None:
    run = (OTHER_ID, CONNECTION_ID, "running", "now", None, None)
    await plant(database, {**PARENTS, "sync_runs": [run], "dlq_events": [(OTHER_ID, CONNECTION_ID, {}, "pending", 0)]})
    await database.execute("DELETE FROM source_connections")
    assert await database.fetchval("SELECT count(*) FROM sync_runs") == 0
    assert await database.fetchval("SELECT count(*) FROM dlq_events") == 0


async def test_a_pinned_user_cannot_be_deleted(database: OwnConnection) -> None:
    await database.execute("INSERT INTO auth.users VALUES ('00000000-0000-4000-8000-000000000009', now())")
    await database.execute("INSERT INTO daybook.known_users VALUES ('00000000-0000-4000-8000-000000000009')")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="known_users"):
        await database.execute("DELETE FROM auth.users")
