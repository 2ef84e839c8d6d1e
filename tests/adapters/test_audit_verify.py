"""`daybook audit verify` on real servers: what was projected is valid, and every kind of damage is found at its place.

The tamper matrix is generated from the tables' columns and the members of metadata_json. Each case is undone, and then
everything is valid again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.checks.finding import Finding
from daybook_projector.audit.verify.report import Verified
from daybook_projector.audit.verify.run import Request, verify
from daybook_projector.projections.audit_log import AUDIT_LOG
from daybook_projector.projections.changes import Table
from daybook_projector.projections.fold import TABLES
from support.auditing import silent, unguarded
from support.deciding import written
from support.logbook import Logbook
from support.projecting import database, projected, projecting, publish
from support.stack import FreshSettings
from support.workload import Workload

ALTERED = 40
"""The position of the entry that cases alter: in the middle of the log, and accepted."""

METADATA = (
    "command_id",
    "commit",
    "data",
    "entries",
    "hash",
    "key",
    "ordinal",
    "partition",
    "position",
    "prev",
    "principal",
    "request",
    "salt",
    "scope",
    "v",
)
MOVED = {"partition", "position"}
"""Members that give a row another place, where it is too much; at its own place it is missing."""

OTHER = {
    "uuid": "gen_random_uuid()",
    "text": "{column} || 'x'",
    "jsonb": """{column} || '{{"x": 1}}'""",
    "timestamptz": "{column} + interval '1 microsecond'",
    "boolean": "NOT {column}",
    "integer": "{column} + 1",
}
"""By SQL type: another value of a column."""

ALLOWED = {
    "role": "CASE {column}::text WHEN 'viewer' THEN 'admin' ELSE 'viewer' END",
    "severity": "CASE {column} WHEN 'info' THEN 'warning' ELSE 'info' END",
    "status": "CASE {column} WHEN 'resolved' THEN 'pending' WHEN 'failed' THEN 'success' WHEN 'pending' THEN 'resolved'"
    " ELSE 'failed' END",
    "result": "CASE {column} WHEN 'success' THEN 'failure' ELSE 'success' END",
    "payload_json": "'null'",
    "finished_at": "coalesce({column}, '2026-01-01') + interval '1 microsecond'",
    "error_message": "coalesce({column}, '') || 'x'",
}
"""Columns whose values a constraint limits, or that may be null or no object."""


@dataclass(frozen=True, slots=True)
class Case:
    """`places`: where the first finding may be: (place, position) of the log, or (table, None)."""

    name: str
    statement: str
    places: tuple[tuple[str, int | None], ...]
    field: str | None = None

    def __str__(self) -> str:
        return self.name


def at_position(position: int) -> str:
    return f"(metadata_json->>'position')::int = {position}"


def audit_log_cases() -> list[Case]:
    place = (("audit_log", ALTERED),)
    where = f"WHERE {at_position(ALTERED)}"
    cases = [
        Case(f"audit_log.{column}", f"UPDATE audit_log SET {column} = {other(AUDIT_LOG, column)} {where}", place)
        for column in AUDIT_LOG.columns
        if column != "metadata_json"
    ]
    cases += [
        Case(
            f"audit_log.metadata_json.{member}",
            f"UPDATE audit_log SET metadata_json = jsonb_set(metadata_json, '{{{member}}}', {changed(member)}) {where}",
            place,
        )
        for member in METADATA
    ]
    row = "id, org_id, project_id, actor_user_id, action, entity_type, entity_id, result, metadata_json, created_at"
    added = row.replace("id, org_id", "gen_random_uuid(), org_id", 1)
    swapped = "jsonb_set(metadata_json, '{position}', to_jsonb(81 - (metadata_json->>'position')::int))"
    return [
        *cases,
        Case("audit_log: a row deleted", f"DELETE FROM audit_log {where}", place),
        Case("audit_log: a row added", f"INSERT INTO audit_log ({row}) SELECT {added} FROM audit_log {where}", place),
        Case(
            "audit_log: two rows swapped",
            f"UPDATE audit_log SET metadata_json = {swapped} WHERE (metadata_json->>'position')::int IN (40, 41)",
            place,
        ),
        Case(
            "audit_log: a number in another form",
            "UPDATE audit_log SET metadata_json = jsonb_set(metadata_json, '{data,x}', '1.00000000000000000001')"
            f" {where}",
            place,
        ),
        Case(
            "audit_log: a row without a place",
            f"UPDATE audit_log SET metadata_json = metadata_json - 'partition' {where}",
            place,
        ),
    ]


def table_cases() -> list[Case]:
    cases = []
    for table in TABLES:
        place = ((table.name.removeprefix("public."), None),)
        for column in table.columns:
            changes = f"UPDATE {table.name} SET {column} = {other(table, column)} WHERE {first_row(table)}"
            cases.append(Case(f"{table.name}.{column}", changes, place, None if column in table.key else column))
        cases.append(Case(f"{table.name}: a row deleted", f"DELETE FROM {table.name} WHERE {first_row(table)}", place))
        ids = ", ".join("gen_random_uuid()" if column in table.key else column for column in table.columns)
        if table.unique:
            ids = ids.replace("key_name", "key_name || 'x'")
        cases.append(
            Case(
                f"{table.name}: a row added",
                f"INSERT INTO {table.name} SELECT {ids} FROM {table.name} WHERE {first_row(table)}",
                place,
            )
        )
    return cases


def first_row(table: Table) -> str:
    key = ", ".join(table.key)
    return f"({key}) = (SELECT {key} FROM {table.name} ORDER BY {key} LIMIT 1)"


def other(table: Table, column: str) -> str:
    expression = ALLOWED.get(column, OTHER.get(table.columns[column], "NULL"))
    cast = "::org_role" if table.columns[column].endswith("org_role") else ""
    return f"({expression.format(column=column)}){cast}"


def changed(member: str) -> str:
    value = f"metadata_json->'{member}'"
    return (
        f"CASE jsonb_typeof({value}) WHEN 'number' THEN to_jsonb(({value})::int + 1)"
        f""" WHEN 'object' THEN {value} || '{{"x": 1}}' ELSE to_jsonb(reverse({value} #>> '{{}}')) END"""
    )


async def verified(settings: Settings, *scopes: str) -> Verified:
    return await verify(settings, Request(frozenset(scopes) or None), silent)


@pytest.fixture(scope="module")
def settings(lasting_settings: FreshSettings) -> Settings:
    return lasting_settings(partitions=1)


@pytest.fixture(scope="module")
def log(settings: Settings) -> Logbook:
    workload = Workload(7, orgs=3, users=6, commands=400, repeated=0)
    log = written([*workload.registrations, *workload.sends])
    asyncio.run(project(settings, log))
    return log


async def project(settings: Settings, log: Logbook) -> None:
    await publish(settings, log)
    async with database(settings) as pool, projecting(settings):
        await projected(pool, log)


@asynccontextmanager
async def tampered(pool: Pool, statement: str) -> AsyncIterator[None]:
    """With the triggers and constraints of the tables switched off, as their owner can; undone afterwards."""
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


async def test_what_was_projected_is_valid(settings: Settings, log: Logbook) -> None:
    found = await verified(settings)
    assert found.findings == ()
    assert found.scope == ("topic", "audit_log", "tables")
    assert [each.head for each in found.partitions] == log.heads
    assert {table.name for table in found.tables} == {
        "audit_log",
        *(table.name.removeprefix("public.") for table in TABLES),
    }
    assert all(table.rows > 0 for table in found.tables)


@pytest.mark.parametrize("case", [*audit_log_cases(), *table_cases()], ids=str)
async def test_damage_is_found_at_its_place(settings: Settings, log: Logbook, pool: Pool, case: Case) -> None:
    async with tampered(pool, case.statement):
        found = await verified(settings)
    assert found.findings, case.statement
    assert place_of(found.findings[0]) in case.places, found.findings[0]
    if case.field is not None:
        assert found.findings[0].field == case.field


def place_of(finding: Finding) -> tuple[object, object]:
    return (finding.table, None) if finding.place == "tables" else (finding.place, finding.position)


async def test_after_undoing_everything_is_valid_again(settings: Settings, log: Logbook) -> None:
    assert (await verified(settings)).findings == ()
