"""Row-level security: which rows of each table a user sees with each pair of an org role and a project role, how the
user is identified, and what services see.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest

from daybook_infra.runtime.settings import Settings
from support.documents import page, section
from support.projecting import database, empty_tables
from support.readers import AUDITOR, READER, Claims, Readers, reader_logins
from support.stack import FreshSettings
from support.tables import SCHEMA
from support.visibility import (
    CONNECTIONS,
    ORG,
    PLACES,
    PROJECT,
    SIBLING,
    STRANGER,
    USERS,
    Seen,
    expected_scopes,
    plant_both_orgs,
    restrict,
    see,
)
from support.visibility_table import visibility_table

NOTHING: Seen = {table: Counter() for table in PLACES}
OWNER = USERS["owner", None]
NOBODY = [
    pytest.param({"sub": STRANGER}, id="a stranger"),
    pytest.param(None, id="no claims"),
    pytest.param("", id="empty claims"),
    pytest.param("{", id="claims that are no JSON"),
    pytest.param("[" * 100_000, id="claims that nest too deeply"),
    pytest.param('"' + OWNER + '"', id="claims that are a string"),
    pytest.param(f'[{{"sub": "{OWNER}"}}]', id="claims that are a list"),
    pytest.param({"role": "authenticated"}, id="no sub"),
    pytest.param({"sub": None}, id="a null sub"),
    pytest.param({"sub": "ada"}, id="a sub that is no UUID"),
    pytest.param({"sub": OWNER + "0"}, id="a sub that is longer than a UUID"),
    pytest.param('{"sub": "\\u0000"}', id="a sub with a NUL character"),
    pytest.param({"claims": {"sub": OWNER}}, id="a sub that is not at the top"),
    pytest.param({"sub": 1}, id="a sub that is a number"),
]


@pytest.fixture(scope="module")
def settings(lasting_settings: FreshSettings) -> Settings:
    settings = lasting_settings(partitions=1)
    asyncio.run(fill(settings))
    return settings


async def fill(settings: Settings) -> None:
    async with database(settings) as pool, pool.acquire() as owner:
        await empty_tables(pool)
        await plant_both_orgs(owner)


@pytest.fixture
async def readers(settings: Settings) -> AsyncIterator[Readers]:
    async with reader_logins(settings) as readers:
        yield readers


async def seen_by(readers: Readers, claims: Claims, *, login: str = "gateway", role: str | None = READER) -> Seen:
    async with readers.reading(claims, login=login, role=role) as connection:
        return await see(connection)


@pytest.mark.parametrize("roles", USERS, ids=str)
async def test_each_pair_of_roles_sees_exactly_the_rows_of_the_rules(
    readers: Readers, roles: tuple[str | None, str | None]
) -> None:
    expected = {table: expected_scopes(table, *roles) for table in PLACES}
    everything = await see(readers.owner)
    assert await seen_by(readers, {"sub": USERS[roles]}) == restrict(everything, expected)


@pytest.mark.parametrize("claims", NOBODY)
async def test_without_valid_claims_no_row_is_visible(readers: Readers, claims: Claims) -> None:
    assert await seen_by(readers, claims) == NOTHING


async def test_a_service_sees_everything(readers: Readers) -> None:
    everything = await see(readers.owner)
    assert all(everything.values())
    assert await seen_by(readers, {"sub": "billing", "role": "service_role"}, role=AUDITOR) == everything
    assert await seen_by(readers, None, login="auditor", role=None) == everything


@pytest.mark.parametrize("login", ["listed", "unlisted"])
async def test_claims_are_ignored_unless_the_login_is_a_gateway(readers: Readers, login: str) -> None:
    assert await seen_by(readers, {"sub": OWNER}, login=login) == NOTHING


@pytest.mark.parametrize("role", [READER, None])
async def test_a_listed_login_reads_as_its_user(readers: Readers, role: str | None) -> None:
    await readers.list_login(USERS["member", "editor"])
    expected = await seen_by(readers, {"sub": USERS["member", "editor"]})
    assert any(expected.values())
    assert await seen_by(readers, {"sub": OWNER}, login="listed", role=role) == expected


async def test_a_listed_gateway_sees_no_row_without_claims(readers: Readers) -> None:
    await readers.owner.execute("INSERT INTO daybook.reader_logins VALUES ($1, $2)", readers.name("gateway"), OWNER)
    try:
        assert await seen_by(readers, None) == NOTHING
    finally:
        await readers.owner.execute("DELETE FROM daybook.reader_logins")


async def test_claims_do_not_outlast_their_transaction(readers: Readers) -> None:
    async with readers.reading({"sub": OWNER}) as connection:
        assert await connection.fetchval("SELECT daybook.uid()::text") == OWNER
        await connection.execute("ROLLBACK; BEGIN; SET LOCAL ROLE daybook_reader")
        assert await connection.fetchval("SELECT current_setting('request.jwt.claims')") == ""
        assert await see(connection) == NOTHING


@asynccontextmanager
async def with_new_member(readers: Readers) -> AsyncIterator[str]:
    """Adds a user as an admin of the org and the project."""
    user = str(uuid4())
    await readers.owner.execute("INSERT INTO auth.users VALUES ($1, now())", user)
    await readers.owner.execute("INSERT INTO org_members VALUES ($1, $2, 'admin', now())", ORG, user)
    await readers.owner.execute("INSERT INTO project_members VALUES ($1, $2, 'admin', now())", PROJECT, user)
    try:
        yield user
    finally:
        await remove(readers, user)


async def remove(readers: Readers, user: str) -> None:
    await readers.owner.execute("DELETE FROM project_members WHERE user_id = $1", user)
    await readers.owner.execute("DELETE FROM org_members WHERE user_id = $1", user)


async def test_a_removed_member_sees_no_row_from_the_next_statement_on(readers: Readers) -> None:
    async with with_new_member(readers) as user, readers.reading({"sub": user}) as connection:
        assert all((await see(connection)).values())
        await remove(readers, user)
        assert await see(connection) == NOTHING


@pytest.mark.parametrize("table", PLACES)
async def test_readers_cannot_write(readers: Readers, table: str) -> None:
    column = SCHEMA[table][0].name
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}", f"TRUNCATE {table} CASCADE"):
        async with readers.reading({"sub": OWNER}, read_only=False) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_the_functions_of_the_policies_return_the_users_orgs_and_projects(readers: Readers) -> None:
    async with readers.reading({"sub": USERS["viewer", "editor"]}) as connection:
        found = await connection.fetchrow(
            "SELECT daybook.my_orgs()::text[], daybook.my_orgs('owner', 'viewer')::text[], daybook.my_orgs('owner'), "
            "daybook.my_projects()::text[], daybook.my_projects('editor')::text[], daybook.my_projects('viewer')"
        )
    assert found is not None
    assert tuple(found) == ([ORG], [ORG], [], [PROJECT], [PROJECT], [])


async def test_a_row_that_is_hidden_is_not_found_by_its_id(readers: Readers) -> None:
    async with readers.reading({"sub": USERS["member", "viewer"]}) as connection:
        found = "SELECT count(*) FROM source_connections WHERE id = $1"
        counts = [await connection.fetchval(found, CONNECTIONS[project]) for project in (PROJECT, SIBLING)]
        assert counts == [1, 0]


async def test_the_table_on_the_page_matches_what_each_role_sees(readers: Readers) -> None:
    measured = {roles: await seen_by(readers, {"sub": user}) for roles, user in USERS.items()}
    others = {
        "none (a stranger, a removed member)": await seen_by(readers, {"sub": STRANGER}),
        "a service": await seen_by(readers, None, role=AUDITOR),
    }
    printed = visibility_table(measured, others)
    assert printed in section(page("docs/reading.md"), "Who sees what"), f"expected:\n{printed}"
