"""Daybook in one database with Supabase's API: `authenticated` reads as Daybook's readers do, `service_role` as its
auditors do, and every other role can access nothing of Daybook.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from daybook_command.postgres import privileges as command_privileges
from daybook_infra.runtime.postgres.connections import OwnConnection
from daybook_infra.runtime.postgres.logins import ensure_logins
from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.postgres.privileges import verify_privileges
from daybook_infra.runtime.postgres.roles import find_statements_for_administrator
from daybook_infra.runtime.settings import Settings
from daybook_projector.postgres import privileges as projector_privileges
from support.sql import open_connection, run
from support.supabase import OWNER, PASSER_BY, PASSWORD, as_role, create_database, in_database, supabase

OTHER_ROLES = ("anon", PASSER_BY)
READING = {"authenticated": "daybook_reader", "service_role": "daybook_auditor"}
NEEDS = {
    "daybook_command_login": command_privileges.required_privileges(managed_users=False),
    "daybook_projector_login": projector_privileges.required_privileges(managed_users=False),
}
OWN_ROLES = ("daybook_command", "daybook_projector", *READING.values())
RELATIONS = """
SELECT format('%I.%I', n.nspname, c.relname) AS name, a.attname AS column
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1
WHERE n.nspname IN ('public', 'daybook') AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
"""
FUNCTIONS = """
SELECT format('daybook.%I', p.proname) AS name, ARRAY(SELECT format('NULL::%s', format_type(t, NULL))
    FROM unnest(p.proargtypes) AS t) AS arguments
FROM pg_proc p WHERE p.pronamespace = 'daybook'::regnamespace
"""
PRIVILEGES = """
SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee,
    privilege_type || CASE WHEN is_grantable THEN ' with grant option ' ELSE ' ' END || what AS privilege FROM (
    SELECT (aclexplode(c.relacl)).*, c.oid::regclass::text AS what FROM pg_class c
    WHERE c.relnamespace IN ('public'::regnamespace, 'daybook'::regnamespace)
    UNION ALL
    SELECT (aclexplode(coalesce(p.proacl, acldefault('f', p.proowner)))).*, p.oid::regproc::text FROM pg_proc p
    WHERE p.pronamespace = 'daybook'::regnamespace
    UNION ALL
    SELECT (aclexplode(n.nspacl)).*, 'schema daybook' FROM pg_namespace n WHERE n.nspname = 'daybook'
) AS held WHERE grantee <> 'postgres'::regrole
"""
ATTEMPTS = (
    "SELECT {column} FROM {name}",
    "SELECT count(*) FROM {name}",
    "INSERT INTO {name} DEFAULT VALUES",
    "UPDATE {name} SET {column} = {column}",
    "DELETE FROM {name}",
    "TRUNCATE {name} CASCADE",
    "COPY {name} TO STDOUT",
    "LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE",
    "ALTER TABLE {name} DISABLE TRIGGER ALL",
    "CREATE TRIGGER mine AFTER INSERT ON {name} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "DROP TABLE {name} CASCADE",
)
ATTEMPTS_ON_SCHEMA = (
    "SET session_replication_role = replica",
    "CREATE TABLE daybook.mine (id uuid)",
    "CREATE FUNCTION daybook.mine() RETURNS int LANGUAGE sql RETURN 1",
    "DROP SCHEMA daybook CASCADE",
)
LATER_MIGRATION = """
CREATE TABLE daybook.later (id uuid PRIMARY KEY);
CREATE SEQUENCE daybook.later_numbers;
CREATE FUNCTION daybook.later(a uuid, b integer) RETURNS integer LANGUAGE sql RETURN 1;
"""


@pytest.fixture(scope="module")
def superuser() -> Iterator[str]:
    with supabase() as url:
        yield url


@pytest.fixture
async def owner(superuser: str) -> Settings:
    return await create_database(superuser, f"hub_{uuid4().hex[:8]}")


@pytest.fixture
async def database(superuser: str, owner: Settings) -> AsyncIterator[OwnConnection]:
    """A superuser's connection, which can act as any role. The owner has run `daybook init`."""
    await migrate(owner)
    async with open_connection(in_database(superuser, name_of(owner))) as connection:
        yield connection


def name_of(settings: Settings) -> str:
    return settings.database_url.get_secret_value().rpartition("/")[2]


async def allowed(database: OwnConnection, role: str, statements: list[str]) -> list[str]:
    """The statements for which the role has all rights, each with its error if it failed for another reason."""
    permitted = []
    for statement in statements:
        transaction = database.transaction()
        await transaction.start()
        await database.execute(f"SET LOCAL ROLE {role}")
        try:
            await database.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            pass
        except asyncpg.PostgresError as error:
            permitted.append(f"{statement}: {error}")
        else:
            permitted.append(statement)
        await transaction.rollback()
    return permitted


async def privileges(database: OwnConnection) -> dict[str, set[str]]:
    """The privileges of all roles except the owner."""
    found: dict[str, set[str]] = {}
    for row in await database.fetch(PRIVILEGES):
        found.setdefault(row["grantee"], set()).add(row["privilege"])
    return found


@pytest.mark.parametrize("role", OTHER_ROLES)
async def test_other_roles_cannot_access_tables(database: OwnConnection, role: str) -> None:
    relations = await database.fetch(RELATIONS)
    assert len(relations) >= 15
    attempts = [each.format(name=row["name"], column=row["column"]) for row in relations for each in ATTEMPTS]
    assert await allowed(database, role, [*attempts, *ATTEMPTS_ON_SCHEMA]) == []


@pytest.mark.parametrize("role", OTHER_ROLES)
async def test_other_roles_cannot_call_functions(database: OwnConnection, role: str) -> None:
    functions = await database.fetch(FUNCTIONS)
    assert len(functions) >= 3
    calls = [f"SELECT {row['name']}({', '.join(row['arguments'])})" for row in functions]
    assert await allowed(database, role, calls) == []


async def test_supabases_roles_have_the_rights_of_the_reading_roles(database: OwnConnection) -> None:
    found = await privileges(database)
    assert set(found) == {*OWN_ROLES, *READING}
    for role, own in READING.items():
        assert found[role] == found[own]


async def test_init_prints_the_grants_on_the_providers_table(
    superuser: str, database: OwnConnection, owner: Settings
) -> None:
    statements = await find_statements_for_administrator(owner)
    roles = ("daybook_auditor", "daybook_command", "daybook_projector")
    assert sorted(statements) == [
        *(f"GRANT SELECT (id) ON auth.users TO {role};" for role in roles),
        *(f"GRANT USAGE ON SCHEMA auth TO {role};" for role in roles),
    ]
    await database.execute("".join(statements))
    assert await find_statements_for_administrator(owner) == ()
    passwords = {"command_password": SecretStr(PASSWORD), "projector_password": SecretStr(PASSWORD)}
    await ensure_logins(owner.model_copy(update=passwords))
    for login, needs in NEEDS.items():
        url = SecretStr(as_role(in_database(superuser, name_of(owner)), login))
        await verify_privileges(owner.model_copy(update={"database_url": url}), needs)


async def test_supabases_authenticator_is_a_gateway(database: OwnConnection) -> None:
    assert await database.fetchval("SELECT pg_has_role('authenticator', 'daybook_gateway', 'MEMBER')")


async def test_other_roles_lose_access_to_objects_of_a_later_migration_in_the_same_run(
    database: OwnConnection, owner: Settings, migrations_folder: Path
) -> None:
    before = await privileges(database)
    (migrations_folder / "0900_later.sql").write_text(LATER_MIGRATION, encoding="utf-8")
    assert await migrate(owner, migrations_folder) == ("0900_later.sql",)
    new = {role: held - before[role] for role, held in (await privileges(database)).items()}
    readers, auditors = {"EXECUTE later"}, {"EXECUTE later", "SELECT later"}
    assert {role: held for role, held in new.items() if held} == {
        "authenticated": readers,
        "daybook_reader": readers,
        "service_role": auditors,
        "daybook_auditor": auditors,
    }


async def test_grants_to_a_custom_role_survive_later_migrations(
    database: OwnConnection, owner: Settings, migrations_folder: Path
) -> None:
    role = f"reporting_{uuid4().hex[:8]}"
    await run(owner.database_url.get_secret_value(), f"CREATE ROLE {role}; GRANT SELECT ON orgs TO {role}")
    (migrations_folder / "0900_later.sql").write_text(LATER_MIGRATION, encoding="utf-8")
    await migrate(owner, migrations_folder)
    assert await allowed(database, role, ["SELECT * FROM orgs"]) == ["SELECT * FROM orgs"]


async def test_other_roles_cannot_access_managed_users(superuser: str) -> None:
    name = f"hub_{uuid4().hex[:8]}"
    settings = (await create_database(superuser, name)).model_copy(update={"users": "managed"})
    await run(in_database(superuser, name), "DROP SCHEMA auth CASCADE")
    await migrate(settings)
    attempts = ["SELECT * FROM auth.users", "DELETE FROM auth.users", "CREATE TABLE auth.mine (id uuid)"]
    async with open_connection(in_database(superuser, name)) as connection:
        for role in OTHER_ROLES:
            assert await allowed(connection, role, attempts) == []


async def test_the_owner_keeps_its_rights(database: OwnConnection) -> None:
    allowed_statements = [
        "SELECT * FROM orgs",
        "SELECT daybook.wait_for('0.0', interval '0')",
        "DELETE FROM daybook.checkpoints",
    ]
    assert await allowed(database, OWNER, allowed_statements) == allowed_statements
