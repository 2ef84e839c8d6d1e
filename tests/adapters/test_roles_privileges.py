"""Least privilege: tries every operation on every table, function and schema, as each role and login. The results match
the table in docs/security.md, and no role or login can change the schema.
"""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from daybook_command.postgres import privileges as command_privileges
from daybook_infra.runtime.postgres.connections import OwnConnection
from daybook_infra.runtime.postgres.logins import COMMAND, PROJECTOR, ensure_logins
from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.postgres.privileges import RequiredPrivilege, verify_privileges
from daybook_infra.runtime.settings import Settings
from daybook_projector.postgres import privileges as projector_privileges
from support.documents import page, section
from support.sql import open_connection, run
from support.supabase import PASSER_BY, PASSWORD, as_role, in_database, supabase

pytestmark = pytest.mark.asyncio(loop_scope="module")

COLUMNS = {
    "daybook_command": ("daybook_command",),
    "daybook_projector": ("daybook_projector",),
    "daybook_reader": ("daybook_reader", "authenticated"),
    "daybook_auditor": ("daybook_auditor", "service_role"),
}
"""For each column of the table on the page: the roles that it describes."""
NOBODY = ("daybook_gateway", "anon", PASSER_BY)
ROLES = (*(role for roles in COLUMNS.values() for role in roles), *NOBODY)
LOGINS = {COMMAND.name: "daybook_command", PROJECTOR.name: "daybook_projector"}
RELATIONS = """
SELECT format('%s.%s', n.nspname, c.relname) AS name, array_agg(a.attname ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname IN ('public', 'daybook', 'auth') AND c.relkind NOT IN ('i', 'c')
GROUP BY n.nspname, c.relname ORDER BY n.nspname = 'public' DESC, n.nspname, min(c.oid)
"""
FUNCTIONS = """
SELECT format('%s.%s', n.nspname, p.proname) AS name, ARRAY(
    SELECT CASE WHEN provariadic <> 0 AND at = pronargs THEN 'VARIADIC ' ELSE '' END || 'NULL::' || format_type(t, NULL)
    FROM unnest(p.proargtypes) WITH ORDINALITY AS given (t, at)
) AS arguments
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname IN ('public', 'daybook', 'auth') ORDER BY 1
"""
ATTEMPTS = {
    "SELECT": "SELECT * FROM {table}",
    "SELECT ({column})": "SELECT {column} FROM {table}",
    "INSERT": "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE": "UPDATE {table} SET {column} = {column}",
    "DELETE": "DELETE FROM {table}",
    "TRUNCATE": "TRUNCATE {table} CASCADE",
}
# Privileges that no attempt above needs.
OTHER_PRIVILEGES = """
SELECT grantee::regrole || ' ' || privilege_type || ' on ' || c.oid::regclass
FROM pg_class c, aclexplode(c.relacl) WHERE c.relnamespace IN (
    'public'::regnamespace, 'daybook'::regnamespace, 'auth'::regnamespace
) AND grantee <> c.relowner AND (
    is_grantable OR privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
)
"""
SCHEMA_CHANGES = (
    "ALTER TABLE {table} ADD COLUMN mine text",
    "ALTER TABLE {table} RENAME TO mine",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE {table} OWNER TO CURRENT_USER",
    "ALTER TABLE {table} SET (autovacuum_enabled = false)",
    "CREATE POLICY mine ON {table} USING (true)",
    "CREATE TRIGGER mine AFTER INSERT ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE mine AS ON INSERT TO {table} DO INSTEAD NOTHING",
    "CREATE INDEX ON {table} ({column})",
    "DROP TABLE {table} CASCADE",
)
OTHER_CHANGES = (
    "ALTER TABLE public.audit_log DISABLE TRIGGER audit_log_is_append_only",
    "ALTER TABLE public.audit_log ENABLE REPLICA TRIGGER audit_log_is_append_only",
    "DROP TRIGGER audit_log_is_append_only ON public.audit_log",
    "CREATE OR REPLACE FUNCTION daybook.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "DROP FUNCTION daybook.refuse_change() CASCADE",
    "SET session_replication_role = replica",
    "CREATE SCHEMA mine",
    "DROP SCHEMA daybook CASCADE",
    "ALTER SCHEMA daybook OWNER TO CURRENT_USER",
    *(f"CREATE TABLE {schema}.mine (id uuid)" for schema in ("public", "daybook", "auth")),
    *(f"CREATE FUNCTION {schema}.mine() RETURNS int LANGUAGE sql RETURN 1" for schema in ("public", "daybook", "auth")),
    "CREATE ROLE mine",
    "CREATE PUBLICATION mine FOR TABLE public.orgs",
    "ALTER TYPE public.org_role ADD VALUE 'mine'",
    "ALTER DATABASE {database} SET row_security = off",
)


@pytest.fixture(scope="module")
def superuser() -> Iterator[str]:
    with supabase() as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def settings(superuser: str) -> Settings:
    """Settings of a login that owns the database and has no other rights. An administrator has run `daybook init`."""
    name = f"hub_{uuid4().hex[:8]}"
    await run(superuser, f"CREATE ROLE hub LOGIN PASSWORD '{PASSWORD}'")
    await run(superuser, f'CREATE DATABASE "{name}" OWNER hub')
    settings = Settings(
        database_url=SecretStr(as_role(in_database(superuser, name), "hub")),
        admin_database_url=SecretStr(in_database(superuser, name)),
        command_password=SecretStr(PASSWORD),
        projector_password=SecretStr(PASSWORD),
    )
    await migrate(settings)
    assert await ensure_logins(settings) == tuple(LOGINS)
    return settings


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(settings: Settings) -> AsyncIterator[OwnConnection]:
    """A superuser's connection, which can act as any role."""
    async with open_connection(settings.admin_database_url.get_secret_value()) as connection:
        yield connection


async def is_allowed(connection: OwnConnection, role: str | None, statement: str) -> bool:
    """Whether the role (None: the connection's login) has all rights for the statement, which is rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        if role is not None:
            await connection.execute(f"SET LOCAL ROLE {role}")
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        # A function that the role may call can still fail because another right is missing.
        is_call = statement.startswith("SELECT daybook.")
        return is_call and re.match(r"permission denied for (function|schema daybook)", str(error)) is None
    except asyncpg.UndefinedFunctionError:
        raise
    except asyncpg.PostgresError:
        return True
    finally:
        await transaction.rollback()
    return True


async def rights_of(connection: OwnConnection, role: str | None, relation: asyncpg.Record) -> str:
    """The cell that the table on the page should have for the role and the relation."""
    column = relation["columns"][0]
    rights = {
        right.format(column=column): await is_allowed(
            connection, role, attempt.format(table=relation["name"], column=column)
        )
        for right, attempt in ATTEMPTS.items()
    }
    rights[f"SELECT ({column})"] &= not rights["SELECT"]
    return ", ".join(right for right, held in rights.items() if held)


async def right_to_call(connection: OwnConnection, role: str | None, function: asyncpg.Record) -> str:
    call = f"SELECT {function['name']}({', '.join(function['arguments'])})"
    return "EXECUTE" if await is_allowed(connection, role, call) else ""


async def found_rows(database: OwnConnection, connection: OwnConnection, roles: Sequence[str | None]) -> list[str]:
    """The rows that the page's table should have for these roles (None: the connection's login)."""
    relations, functions = await database.fetch(RELATIONS), await database.fetch(FUNCTIONS)
    return [
        *[
            line(each["name"].removeprefix("public."), [await rights_of(connection, role, each) for role in roles])
            for each in relations
        ],
        *[
            line(f"{each['name']}()", [await right_to_call(connection, role, each) for role in roles])
            for each in functions
        ],
    ]


def line(name: str, cells: Sequence[str]) -> str:
    return f"| `{name}` | " + " | ".join(cells) + " |"


def printed_rows() -> list[str]:
    return re.findall(r"^\| `.*\|$", section(page("docs/security.md"), "Roles in PostgreSQL"), re.MULTILINE)


def printed_column(role: str) -> list[str]:
    at = 2 + list(COLUMNS).index(role)
    split = [[cell.strip() for cell in row.split("|")] for row in printed_rows()]
    return [line(cells[1].strip("`"), [cells[at]]) for cells in split]


@pytest.mark.parametrize("index", range(2))
async def test_each_role_may_do_exactly_what_the_page_says(database: OwnConnection, index: int) -> None:
    roles = [roles[min(index, len(roles) - 1)] for roles in COLUMNS.values()]
    assert "\n".join(await found_rows(database, database, roles)) == "\n".join(printed_rows())


@pytest.mark.parametrize("role", NOBODY)
async def test_other_roles_may_do_nothing(database: OwnConnection, role: str) -> None:
    rows = await found_rows(database, database, [role])
    assert len(rows) >= 20
    assert [row for row in rows if not row.endswith(" |  |")] == []


@pytest.mark.parametrize("login", LOGINS)
async def test_a_services_login_has_exactly_the_rights_of_its_role(
    database: OwnConnection, settings: Settings, login: str
) -> None:
    url = as_role(settings.admin_database_url.get_secret_value(), login)
    async with open_connection(url) as connection:
        assert await found_rows(database, connection, [None]) == printed_column(LOGINS[login])


@pytest.mark.parametrize("role", [*ROLES, *LOGINS])
async def test_no_role_can_change_the_schema(database: OwnConnection, role: str) -> None:
    name = await database.fetchval("SELECT quote_ident(current_database())")
    statements = [each.format(database=name) for each in OTHER_CHANGES]
    for relation in await database.fetch(RELATIONS):
        statements += [each.format(table=relation["name"], column=relation["columns"][0]) for each in SCHEMA_CHANGES]
    assert [statement for statement in statements if await is_allowed(database, role, statement)] == []


async def test_no_role_has_other_privileges_or_may_pass_one_on(database: OwnConnection) -> None:
    assert [row[0] for row in await database.fetch(OTHER_PRIVILEGES)] == []


@pytest.mark.parametrize(
    ("login", "needs"),
    [
        (COMMAND.name, command_privileges.required_privileges(managed_users=True)),
        (PROJECTOR.name, projector_privileges.required_privileges(managed_users=True)),
    ],
)
async def test_a_services_login_has_all_rights_that_the_service_needs(
    settings: Settings, login: str, needs: Sequence[RequiredPrivilege]
) -> None:
    url = as_role(settings.admin_database_url.get_secret_value(), login)
    await verify_privileges(settings.model_copy(update={"database_url": SecretStr(url)}), needs)
