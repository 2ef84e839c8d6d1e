"""Readers may call `daybook.wait_for`. It reports a quarantine only to readers who may see the org. The SQL in
docs/reading.md works as the page says.
"""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from daybook_infra.runtime.settings import Settings
from support.documents import blocks, page, section
from support.planted_rows import ids, plant
from support.projecting import database as open_tables
from support.projecting import empty_tables
from support.readers import AUDITOR, PASSWORD, READER, Claims, Readers, reader_logins
from support.sql import open_connection

SHARED_DATABASE = True
ORG, UNKNOWN_ORG, MEMBER, STRANGER = ids(4)
WAIT = "SELECT daybook.wait_for('0.5', $1, $2)"
NOW = timedelta(0)
CHECKPOINT = "INSERT INTO daybook.checkpoints VALUES (0, 6, 5, repeat('0', 64), 5)"
QUARANTINE = "INSERT INTO daybook.quarantine (org_id, partition, position, reason) VALUES ($1, 0, 3, 'poison')"
ONE_USER, GATEWAY = (block.text for block in blocks(section(page("docs/reading.md"), "SQL"), "sql"))


@pytest.fixture
async def readers(settings: Settings) -> AsyncIterator[Readers]:
    async with open_tables(settings) as pool:
        await empty_tables(pool)
    async with reader_logins(settings) as readers:
        await readers.owner.execute("INSERT INTO auth.users SELECT unnest($1::uuid[]), now()", [MEMBER, STRANGER])
        await plant(
            readers.owner,
            {"orgs": [(ORG, "Harbour Books", "now")], "org_members": [(ORG, MEMBER, "viewer", "now")]},
        )
        await readers.owner.execute(CHECKPOINT)
        for org_id in (ORG, UNKNOWN_ORG):
            await readers.owner.execute(QUARANTINE, org_id)
        yield readers


async def is_told(
    readers: Readers, org_id: str, claims: Claims, login: str = "gateway", role: str | None = READER
) -> bool:
    async with readers.reading(claims, login=login, role=role) as connection:
        try:
            assert await connection.fetchval(WAIT, NOW, org_id) is True
        except asyncpg.ObjectNotInPrerequisiteStateError:
            return True
        return False


async def test_a_quarantine_is_reported_only_to_those_who_see_the_org(readers: Readers) -> None:
    assert await is_told(readers, ORG, {"sub": MEMBER})
    assert not await is_told(readers, ORG, {"sub": STRANGER})
    assert not await is_told(readers, ORG, None)
    await readers.list_login(MEMBER)
    assert await is_told(readers, ORG, {"sub": STRANGER}, login="listed", role=None)


@pytest.mark.parametrize("org_id", [ORG, UNKNOWN_ORG], ids=["an org", "an org without a row"])
async def test_a_quarantine_is_reported_to_those_who_see_everything(readers: Readers, org_id: str) -> None:
    assert await is_told(readers, org_id, None, role=AUDITOR)
    assert await is_told(readers, org_id, None, login="auditor", role=None)
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
        await readers.owner.fetchval(WAIT, NOW, org_id)
    assert not await is_told(readers, UNKNOWN_ORG, {"sub": MEMBER})


async def test_readers_can_wait_without_rights_on_tables_of_schema_daybook(readers: Readers) -> None:
    async with readers.reading({"sub": MEMBER}) as connection:
        assert await connection.fetchval(WAIT, NOW, None) is True
    for table in ("checkpoints", "quarantine", "reader_logins", "migrations"):
        async with readers.reading({"sub": MEMBER}) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM daybook.{table}")


async def test_the_page_shows_how_a_login_reads_as_one_user(readers: Readers) -> None:
    name = f"{readers.prefix}ada"
    script = ONE_USER.replace("'of ada'", f"'{PASSWORD}'").replace("'ada'", f"'{name}'").replace(" ada", f" {name}")
    await readers.owner.execute(re.sub(r"0199f000-[-\w]*", MEMBER, script))
    try:
        async with open_connection(readers.url("ada")) as ada:
            assert await ada.fetchval("SELECT name FROM orgs") == "Harbour Books"
            assert await ada.fetchval("SELECT count(*) FROM audit_log") == 0
    finally:
        await readers.owner.execute(f"DELETE FROM daybook.reader_logins; DROP ROLE {name}")


async def test_the_page_shows_how_a_gateway_reads_for_a_user(readers: Readers) -> None:
    async with open_connection(readers.url("gateway")) as gateway:
        *before, last = [each for each in re.sub(r"0199f000-[-\w]*", MEMBER, GATEWAY).split(";\n") if each][:-1]
        for statement in before:
            await gateway.execute(statement)
        assert await gateway.fetchval(last) == "Harbour Books"
