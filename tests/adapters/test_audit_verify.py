"""`daybook audit verify` on real servers: projected entries and rows are valid, and every kind of damage is found at
its place. After each case of the tamper matrix, the damage is undone.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.checks.finding import Finding
from daybook_projector.audit.verify.report import Verified
from daybook_projector.audit.verify.run import Request, verify
from daybook_projector.projections.audit_log import AUDIT_LOG
from daybook_projector.projections.fold import AUDITED_TABLES, TABLES
from support.auditing import silent, unguarded
from support.deciding import log_of
from support.logbook import Logbook
from support.projecting import database, projecting, publish, until_projected
from support.stack import FreshSettings
from support.tamper_matrix import Case, audit_log_cases, checks_of_the_page, table_cases
from support.workload import Workload

CHECKS = checks_of_the_page()


async def verified(settings: Settings, *scopes: str) -> Verified:
    return await verify(settings, Request(frozenset(scopes) or None), silent)


@pytest.fixture(scope="module")
def settings(lasting_settings: FreshSettings) -> Settings:
    return lasting_settings(partitions=1)


@pytest.fixture(scope="module")
def log(settings: Settings) -> Logbook:
    workload = Workload(7, orgs=3, users=6, commands=400, repeated=0)
    log = log_of([*workload.registrations, *workload.sends])
    asyncio.run(project(settings, log))
    return log


async def project(settings: Settings, log: Logbook) -> None:
    await publish(settings, log)
    async with database(settings) as pool, projecting(settings):
        await until_projected(pool, log)


@asynccontextmanager
async def tampered(pool: Pool, statement: str) -> AsyncIterator[None]:
    """Damages the tables with their triggers and constraints switched off, as their owner can. Undoes it afterwards."""
    names = [table.name for table in (*TABLES, AUDIT_LOG) if table.name.removeprefix("public.") in statement]
    async with pool.acquire() as connection:
        for name in names:
            await connection.execute(f"CREATE TABLE kept_{bare(name)} AS TABLE {name}")
        tag = (await unguarded(connection, statement))[-1]
        assert not tag.endswith(" 0"), f"nothing was altered by {statement}"
        try:
            yield
        finally:
            for name in names:
                await unguarded(
                    connection,
                    f"DELETE FROM {name}",
                    f"INSERT INTO {name} TABLE kept_{bare(name)}",
                    f"DROP TABLE kept_{bare(name)}",
                )


def bare(name: str) -> str:
    return name.replace(".", "_")


async def test_a_projected_log_is_valid(settings: Settings, log: Logbook) -> None:
    found = await verified(settings)
    assert found.findings == ()
    assert found.scope == ("topic", "audit_log", "tables")
    assert [each.head for each in found.partitions] == log.heads
    assert {table.name for table in found.tables} == {
        "audit_log",
        *(table.name.removeprefix("public.") for table in AUDITED_TABLES),
    }
    assert all(table.rows > 0 for table in found.tables)


@pytest.mark.parametrize("case", [*audit_log_cases(), *table_cases()], ids=str)
async def test_damage_is_found_at_its_place(settings: Settings, log: Logbook, pool: Pool, case: Case) -> None:
    async with tampered(pool, case.statement):
        found = await verified(settings)
    assert found.findings, case.statement
    assert place_of(found.findings[0]) in case.places, found.findings[0]
    assert found.findings[0].check in CHECKS[case.damage], found.findings[0]
    if case.field is not None:
        assert found.findings[0].field == case.field


def place_of(finding: Finding) -> tuple[object, object]:
    return (finding.table, None) if finding.place == "tables" else (finding.place, finding.position)


def test_the_page_lists_exactly_the_damage_of_the_test_cases() -> None:
    assert {case.damage for case in [*audit_log_cases(), *table_cases()]} == CHECKS.keys()


async def test_after_the_damage_is_undone_everything_is_valid_again(settings: Settings, log: Logbook) -> None:
    assert (await verified(settings)).findings == ()
