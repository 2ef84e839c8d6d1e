"""Rights in PostgreSQL: before anything is created, each missing right is named, with a statement that grants it."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import uuid4

import pytest
from pydantic import SecretStr

from daybook_command.postgres import privileges as command_privileges
from daybook_infra.runtime.postgres.connections import OwnConnection
from daybook_infra.runtime.postgres.migrations import MigrationMismatch, migrate, verify_can_migrate, verify_migrations
from daybook_infra.runtime.postgres.privileges import PrivilegesMissing, RequiredPrivilege, verify_privileges
from daybook_infra.runtime.settings import Settings
from daybook_projector.postgres import privileges as projector_privileges
from support.sql import open_connection, run
from support.supabase import OWNER, PASSWORD, as_role, create_database, in_database, supabase

AUTH = """
CREATE SCHEMA auth AUTHORIZATION supabase_auth_admin;
CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
ALTER TABLE auth.users OWNER TO supabase_auth_admin;
"""
ROW_SECURITY = "ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY"
NEEDS = [
    pytest.param(command_privileges.required_privileges(managed_users=True), id="command, managed"),
    pytest.param(command_privileges.required_privileges(managed_users=False), id="command, external"),
    pytest.param(projector_privileges.required_privileges(managed_users=True), id="projector, managed"),
    pytest.param(projector_privileges.required_privileges(managed_users=False), id="projector, external"),
]


@pytest.fixture(scope="module")
def superuser() -> Iterator[str]:
    with supabase() as url:
        yield url


@pytest.fixture
def name() -> str:
    return f"hub_{uuid4().hex[:8]}"


@pytest.fixture
async def admin(superuser: str, name: str) -> AsyncIterator[OwnConnection]:
    """A superuser's connection to a new database without any grants."""
    await run(superuser, f'CREATE DATABASE "{name}"')
    async with open_connection(in_database(superuser, name)) as connection:
        await connection.execute(AUTH)
        yield connection


@pytest.fixture
async def role(admin: OwnConnection) -> str:
    name = f"r{uuid4().hex[:8]}"
    await admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    return name


@pytest.fixture
def settings(superuser: str, name: str, role: str) -> Settings:
    return settings_of(superuser, name, role)


@pytest.fixture
async def migrated(superuser: str, name: str, settings: Settings) -> Settings:
    """Settings of the role, in a database that a superuser has migrated."""
    await migrate(Settings(database_url=SecretStr(in_database(superuser, name)), users="external"))
    return settings


def settings_of(superuser: str, name: str, role: str) -> Settings:
    return Settings(database_url=SecretStr(as_role(in_database(superuser, name), role)), users="external")


async def refusal(settings: Settings, needs: Sequence[RequiredPrivilege] | None = None) -> PrivilegesMissing:
    with pytest.raises(PrivilegesMissing) as refused:
        await (verify_can_migrate(settings) if needs is None else verify_privileges(settings, needs))
    return refused.value


async def grant_what_is_missing(
    admin: OwnConnection, settings: Settings, needs: Sequence[RequiredPrivilege] | None = None
) -> PrivilegesMissing:
    refused = await refusal(settings, needs)
    for grant in re.findall(r"(?:GRANT|ALTER ROLE) [^;]*;", str(refused)):
        await admin.execute(grant)
    return refused


async def test_init_names_every_missing_right_and_creates_nothing(
    settings: Settings, admin: OwnConnection, name: str, role: str
) -> None:
    await admin.execute(ROW_SECURITY)
    with pytest.raises(PrivilegesMissing) as refused:
        await migrate(settings)
    assert str(refused.value).splitlines() == [
        f"PostgreSQL's role {role} lacks rights, which an owner or a superuser can give:",
        f"  CREATE on database {name}: GRANT CREATE ON DATABASE {name} TO {role};",
        f"  CREATE on schema public: GRANT CREATE, USAGE ON SCHEMA public TO {role};",
        f"  USAGE on schema auth: GRANT USAGE ON SCHEMA auth TO {role};",
        f"  SELECT, REFERENCES on auth.users: GRANT SELECT (id), REFERENCES (id) ON auth.users TO {role};",
        f"  to see the rows of auth.users (row-level security): ALTER ROLE {role} BYPASSRLS;",
    ]
    assert str(await refusal(settings)) == str(refused.value)
    assert await admin.fetchval("SELECT to_regnamespace('daybook')") is None


async def test_the_grants_named_by_init_are_sufficient(settings: Settings, admin: OwnConnection) -> None:
    await admin.execute(ROW_SECURITY)
    await grant_what_is_missing(admin, settings)
    await verify_can_migrate(settings)
    assert await migrate(settings)
    await verify_migrations(settings)


@pytest.mark.parametrize(
    ("right", "line"),
    [
        ("USAGE ON SCHEMA auth", "USAGE on schema auth: GRANT USAGE ON SCHEMA auth TO {role};"),
        ("REFERENCES ON auth.users", "REFERENCES on auth.users: GRANT REFERENCES (id) ON auth.users TO {role};"),
        ("SELECT ON auth.users", "SELECT on auth.users: GRANT SELECT (id) ON auth.users TO {role};"),
    ],
)
async def test_only_the_missing_right_is_named(superuser: str, name: str, right: str, line: str) -> None:
    settings = await create_database(superuser, name)
    await run(in_database(superuser, name), f"REVOKE {right} FROM {OWNER}")
    assert str(await refusal(settings)).splitlines()[1:] == [f"  {line.format(role=OWNER)}"]


async def test_a_role_that_is_not_the_owner_is_told_which_role_it_needs(
    superuser: str, name: str, settings: Settings, admin: OwnConnection, role: str
) -> None:
    await admin.execute(f"GRANT CREATE ON DATABASE {name} TO {OWNER}; GRANT CREATE, USAGE ON SCHEMA public TO {OWNER}")
    await admin.execute(f"GRANT USAGE ON SCHEMA auth TO {OWNER}; GRANT SELECT, REFERENCES ON auth.users TO {OWNER}")
    await migrate(settings_of(superuser, name, OWNER))
    await admin.execute("DELETE FROM daybook.migrations WHERE number = 20")
    line = f"  the rights of {OWNER}, who owns schema daybook: GRANT {OWNER} TO {role};"
    assert line in str(await refusal(settings)).splitlines()
    await admin.execute(f"GRANT {OWNER} TO {role}")
    await verify_can_migrate(settings)


async def test_init_with_nothing_to_apply_needs_only_read_rights(
    migrated: Settings, admin: OwnConnection, role: str
) -> None:
    lacking = await refusal(migrated)
    assert "GRANT SELECT ON daybook.migrations" in str(lacking)
    await admin.execute(f"GRANT USAGE ON SCHEMA daybook, auth TO {role}; GRANT SELECT ON daybook.migrations TO {role}")
    await admin.execute(f"GRANT SELECT (id) ON auth.users TO {role}")
    assert await migrate(migrated) == ()


async def test_the_table_of_external_users_must_exist(superuser: str, name: str) -> None:
    await run(superuser, f'CREATE DATABASE "{name}" OWNER {OWNER}')
    with pytest.raises(MigrationMismatch, match=r"^DAYBOOK_USERS=external, but there is no table auth\.users"):
        await verify_can_migrate(settings_of(superuser, name, OWNER))


@pytest.mark.parametrize("needs", NEEDS)
async def test_the_grants_named_by_a_service_are_sufficient(
    migrated: Settings, admin: OwnConnection, role: str, needs: Sequence[RequiredPrivilege]
) -> None:
    await admin.execute(f"{ROW_SECURITY}; REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    refused = await grant_what_is_missing(admin, migrated, needs)
    assert {f"USAGE on schema {schema}:" for schema in ("public", "daybook", "auth")} <= set(
        re.findall(r"USAGE on schema \w+:", str(refused))
    )
    await verify_privileges(migrated, needs)


@pytest.mark.parametrize("needs", NEEDS)
async def test_each_missing_right_of_a_service_is_named_alone(
    migrated: Settings, admin: OwnConnection, role: str, needs: Sequence[RequiredPrivilege]
) -> None:
    await grant_what_is_missing(admin, migrated, needs)
    for need in needs:
        for privilege in need.privileges:
            right = privilege if need.column is None else f"{privilege} ({need.column})"
            await admin.execute(f"REVOKE {right} ON {need.table} FROM {role}")
            line = f"  {privilege} on {need.table}: GRANT {right} ON {need.table} TO {role};"
            assert str(await refusal(migrated, needs)).splitlines()[1:] == [line]
            await admin.execute(f"GRANT {right} ON {need.table} TO {role}")


async def test_row_level_security_is_named(migrated: Settings, admin: OwnConnection, role: str) -> None:
    needs = command_privileges.required_privileges(managed_users=False)
    await grant_what_is_missing(admin, migrated, needs)
    await admin.execute(f"ALTER ROLE {role} NOBYPASSRLS")
    (line,) = str(await refusal(migrated, needs)).splitlines()[1:]
    tables = ", ".join(need.table for need in needs if need.table.startswith("public."))
    assert line == f"  to see the rows of {tables} (row-level security): ALTER ROLE {role} BYPASSRLS;"
    await admin.execute(f"ALTER ROLE {role} BYPASSRLS")
    await verify_privileges(migrated, needs)
