"""Auditors' tools under row-level security: they refuse to read if a policy can hide a row from their login."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import asyncpg
import pytest
from pydantic import SecretStr

from daybook_infra.runtime.errors import DatabaseRefuses
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.postgres.row_visibility import show_every_row
from daybook_infra.runtime.settings import Settings
from support.planted_rows import plant
from support.readers import Readers, reader_logins
from support.shell import invoke
from support.visibility import ORG, PLACES

FAULTS = {
    "no policy": "DROP POLICY auditors ON orgs",
    "a policy with a condition": "ALTER POLICY auditors ON orgs USING (name <> '')",
    "a policy of another role": "ALTER POLICY auditors ON orgs TO daybook_reader",
    "a restrictive policy": "CREATE POLICY fault ON orgs AS RESTRICTIVE USING (name <> '')",
}


@pytest.fixture
async def readers(settings: Settings) -> AsyncIterator[Readers]:
    async with reader_logins(settings) as readers:
        await plant(readers.owner, {"orgs": [(ORG, "Org", "now")]})
        yield readers


def logged_in(settings: Settings, readers: Readers, login: str) -> Settings:
    return settings.model_copy(update={"database_url": SecretStr(readers.url(login))})


async def count_orgs(settings: Settings) -> int:
    async with connect(settings, "test") as connection, connection.transaction():
        await show_every_row(connection)
        found: int = await connection.fetchval("SELECT count(*) FROM orgs")
    return found


async def test_owners_and_auditors_see_every_row(settings: Settings, readers: Readers) -> None:
    assert await count_orgs(settings) == 1
    assert await count_orgs(logged_in(settings, readers, "auditor")) == 1


async def test_the_refusal_of_a_reader_names_the_missing_role(settings: Settings, readers: Readers) -> None:
    name = readers.name("unlisted")
    with pytest.raises(
        DatabaseRefuses, match=rf"hide rows of {', '.join(sorted(PLACES))} from .* {name}: GRANT "
    ) as refused:
        await count_orgs(logged_in(settings, readers, "unlisted"))
    await readers.owner.execute(str(refused.value).partition(": ")[2])
    assert await count_orgs(logged_in(settings, readers, "unlisted")) == 1


@contextmanager
def refusal() -> Iterator[None]:
    with pytest.raises(DatabaseRefuses, match="row-level security can hide rows of orgs from"):
        yield


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_policy_that_may_hide_a_row_is_refused(settings: Settings, readers: Readers, fault: str) -> None:
    await readers.owner.execute(FAULTS[fault])
    with refusal():
        await count_orgs(logged_in(settings, readers, "auditor"))


async def test_policies_cannot_change_while_an_auditor_reads(settings: Settings, readers: Readers) -> None:
    async with connect(logged_in(settings, readers, "auditor"), "test") as auditor, auditor.transaction():
        await show_every_row(auditor)
        await readers.owner.execute("SET lock_timeout = '50ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await readers.owner.execute(FAULTS["a restrictive policy"])


async def test_the_command_line_reads_as_an_auditor(settings: Settings, readers: Readers) -> None:
    auditor = logged_in(settings, readers, "auditor")
    verified = await asyncio.to_thread(invoke, auditor, "audit", "verify", "--scope", "audit_log", "--scope", "tables")
    # The command sees the org, which no entry of the log has created.
    assert (verified.exit_code, "surplus: tables, table orgs" in verified.output) == (1, True), verified.output
    listed = await asyncio.to_thread(invoke, auditor, "alerts")
    assert listed.exit_code == 0, listed.output


async def test_the_command_line_does_not_read_as_a_reader(settings: Settings, readers: Readers) -> None:
    name = readers.name("unlisted")
    await readers.owner.execute(f"GRANT USAGE ON SCHEMA auth, daybook TO {name}")
    await readers.owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public, auth, daybook TO {name}")
    for arguments in (("alerts",), ("audit", "verify", "--scope", "tables")):
        result = await asyncio.to_thread(invoke, logged_in(settings, readers, "unlisted"), *arguments)
        assert result.exit_code != 0, result.output
        assert "row-level security can hide rows" in result.output
