"""`daybook init` makes its roles once in a cluster, even if it runs in several databases or with several logins."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from daybook_command.postgres.privileges import required_privileges
from daybook_infra.runtime.postgres.logins import ensure_logins, verify_can_make_logins
from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.postgres.privileges import PrivilegesMissing, verify_privileges
from daybook_infra.runtime.postgres.roles import find_statements_for_administrator
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Part
from support.sql import ask, open_connection, run
from support.stack import own_stack
from support.supabase import PASSWORD, as_role, in_database

ROLES = ("daybook_auditor", "daybook_command", "daybook_gateway", "daybook_projector", "daybook_reader")
SERVICE_ROLES = {"daybook_command", "daybook_projector"}
ATTRIBUTES = """
SELECT rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles
WHERE rolname LIKE 'daybook\\_%' ORDER BY rolname
"""
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'daybook-init' AND wait_event_type = 'Lock'"


OWNERS = """
SELECT array_agg(DISTINCT pg_get_userbyid(owner)) FROM (
    SELECT relowner FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'daybook'::regnamespace)
    UNION ALL
    SELECT proowner FROM pg_proc WHERE pronamespace = 'daybook'::regnamespace
) AS made (owner)
"""
NEEDS = required_privileges(managed_users=True)
LOGINS = ("daybook_command_login", "daybook_projector_login")
PASSWORDS = {"command_password": SecretStr("it's"), "projector_password": SecretStr(PASSWORD)}


@pytest.fixture
def superuser() -> Iterator[str]:
    """A new server: roles belong to a whole cluster."""
    with own_stack(parts=frozenset({Part.POSTGRES})) as stack:
        yield stack.servers().database_url


async def new_database(superuser: str, owner: str) -> Settings:
    name = f"hub_{uuid4().hex[:8]}"
    await run(superuser, f'CREATE DATABASE "{name}" OWNER {owner}')
    return Settings(database_url=SecretStr(as_role(in_database(superuser, name), owner)))


async def new_login(superuser: str, attributes: str = "") -> str:
    name = f"r{uuid4().hex[:8]}"
    await run(superuser, f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {attributes}")
    return name


async def roles(superuser: str) -> dict[str, dict[str, bool]]:
    async with open_connection(superuser) as connection:
        return {row["rolname"]: dict(list(row.items())[1:]) for row in await connection.fetch(ATTRIBUTES)}


async def as_member(superuser: str, settings: Settings, role: str) -> Settings:
    """Settings of a login that acts as the role."""
    login = await new_login(superuser, f"IN ROLE {role}")
    await run(superuser, f"ALTER ROLE {login} SET role = {role}")
    return settings.model_copy(
        update={"database_url": SecretStr(as_role(in_database(superuser, name_of(settings)), login))}
    )


def name_of(settings: Settings) -> str:
    return settings.database_url.get_secret_value().rpartition("/")[2]


def assert_roles_are_those_of_init(found: dict[str, dict[str, bool]]) -> None:
    assert {role: {name for name, has in held.items() if has} for role, held in found.items()} == {
        role: {"rolbypassrls"} if role in SERVICE_ROLES else set() for role in ROLES
    }


@pytest.mark.parametrize("statement", ["CREATE ROLE daybook_command", "ALTER ROLE daybook_projector BYPASSRLS"])
async def test_init_waits_for_an_init_in_another_database_and_uses_its_roles(superuser: str, statement: str) -> None:
    await run(superuser, "CREATE ROLE daybook_projector")
    settings = await new_database(superuser, await new_login(superuser, "SUPERUSER"))
    async with open_connection(superuser) as other, other.transaction():
        await other.execute(statement)
        init = asyncio.create_task(migrate(settings))
        async with asyncio.timeout(30):
            while not await ask(superuser, WAITING):
                assert not init.done()
    assert await init
    assert_roles_are_those_of_init(await roles(superuser))


async def test_simultaneous_inits_of_several_databases_make_the_roles(superuser: str) -> None:
    owner = await new_login(superuser, "SUPERUSER")
    databases = [await new_database(superuser, owner) for _ in range(4)]
    await asyncio.gather(*map(migrate, databases))
    assert_roles_are_those_of_init(await roles(superuser))


async def test_existing_roles_are_kept(superuser: str) -> None:
    await run(superuser, "CREATE ROLE daybook_reader LOGIN; CREATE ROLE daybook_command")
    owner = await new_login(superuser, "CREATEROLE BYPASSRLS")
    assert await migrate(await new_database(superuser, owner))
    found = await roles(superuser)
    assert tuple(found) == ROLES
    assert found["daybook_reader"]["rolcanlogin"]
    assert not found["daybook_command"]["rolbypassrls"]
    assert found["daybook_projector"]["rolbypassrls"]


async def test_an_owner_without_createrole_makes_tables_and_names_the_missing_statements(superuser: str) -> None:
    settings = await new_database(superuser, await new_login(superuser))
    assert await migrate(settings)
    assert await roles(superuser) == {}
    assert await ask(settings.database_url.get_secret_value(), "SELECT count(*) FROM orgs") == 0
    statements = await find_statements_for_administrator(settings)
    assert len(statements) == len(ROLES)
    await run(superuser, "".join(statements))
    assert_roles_are_those_of_init(await roles(superuser))
    assert await migrate(settings) == ()
    assert await find_statements_for_administrator(settings) == ()
    await verify_privileges(await as_member(superuser, settings, "daybook_command"), NEEDS)


async def test_an_administrator_can_make_roles_that_the_owner_may_not_make(
    superuser: str, migrations_folder: Path
) -> None:
    owner = await new_login(superuser)
    settings = await new_database(superuser, owner)
    await migrate(settings)
    database = in_database(superuser, name_of(settings))
    (migrations_folder / "0900_later.sql").write_text("CREATE TABLE daybook.later (id uuid)", encoding="utf-8")
    administrator = settings.model_copy(update={"admin_database_url": SecretStr(database)})
    assert await migrate(administrator, migrations_folder) == ("0900_later.sql",)
    assert_roles_are_those_of_init(await roles(superuser))
    assert await ask(database, OWNERS) == [owner]


async def test_an_older_version_does_not_revoke_rights_of_a_newer_one(superuser: str, migrations_folder: Path) -> None:
    settings = await new_database(superuser, await new_login(superuser, "SUPERUSER"))
    later = "-- last: a newer version\nGRANT SELECT ON daybook.checkpoints TO daybook_gateway"
    (migrations_folder / "0900_later.sql").write_text(later, encoding="utf-8")
    await migrate(settings, migrations_folder)
    await run(settings.database_url.get_secret_value(), "REVOKE USAGE ON SCHEMA daybook FROM daybook_reader")
    assert await migrate(settings) == ()
    may_read = "SELECT has_table_privilege('daybook_gateway', 'daybook.checkpoints', 'SELECT')"
    assert await ask(settings.database_url.get_secret_value(), may_read)


@pytest.mark.parametrize("right", ["USAGE ON SCHEMA daybook", "SELECT (id) ON auth.users"])
async def test_a_lost_right_is_granted_by_init_or_named_for_the_administrator(superuser: str, right: str) -> None:
    settings = await new_database(superuser, await new_login(superuser, "SUPERUSER"))
    await migrate(settings)
    await run(settings.database_url.get_secret_value(), f"REVOKE {right} FROM daybook_command")
    assert await migrate(settings) == ()
    left = await find_statements_for_administrator(settings)
    assert left == (() if "SCHEMA daybook" in right else (f"GRANT {right} TO daybook_command;",))


async def refusal_of_logins(settings: Settings) -> PrivilegesMissing:
    with pytest.raises(PrivilegesMissing) as refused:
        await verify_can_make_logins(settings)
    return refused.value


@pytest.mark.parametrize("made", [ROLES, (*ROLES, *LOGINS), ()], ids=["roles", "roles and logins", "nothing"])
async def test_granting_the_named_rights_is_enough_to_make_logins(superuser: str, made: tuple[str, ...]) -> None:
    for name in made:
        await run(superuser, f"CREATE ROLE {name}")
    owner = await new_login(superuser)
    settings = (await new_database(superuser, owner)).model_copy(update=PASSWORDS)
    lines = str(await refusal_of_logins(settings)).splitlines()
    assert lines[:2] == [
        f"PostgreSQL's role {owner} lacks rights, which an owner or a superuser can give:",
        f"  to make logins: ALTER ROLE {owner} CREATEROLE;",
    ]
    await run(superuser, "".join(line.partition(": ")[2] for line in lines[1:]))
    await verify_can_make_logins(settings)
    await migrate(settings)
    assert await ensure_logins(settings) == LOGINS
    await verify_can_make_logins(settings)


async def test_without_passwords_no_right_to_make_logins_is_needed(superuser: str) -> None:
    await verify_can_make_logins(await new_database(superuser, await new_login(superuser)))


async def test_a_login_that_cannot_be_made_is_a_clear_error(superuser: str) -> None:
    settings = await new_database(superuser, await new_login(superuser))
    await migrate(settings)
    with pytest.raises(PrivilegesMissing, match=r"^the login daybook_command_login cannot be made: permission denied"):
        await ensure_logins(settings.model_copy(update={"command_password": SecretStr("secret")}))


async def test_simultaneous_inits_of_several_databases_make_the_logins(superuser: str) -> None:
    owner = await new_login(superuser, "SUPERUSER")
    databases = [(await new_database(superuser, owner)).model_copy(update=PASSWORDS) for _ in range(4)]
    for database in databases:
        await migrate(database)
    await asyncio.gather(*map(ensure_logins, databases))
    url = as_role(superuser, "daybook_projector_login")
    assert await ask(url, "SELECT session_user || ' ' || current_user") == "daybook_projector_login daybook_projector"
