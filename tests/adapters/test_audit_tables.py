"""Compares the auditors' fold with the tables of a real PostgreSQL: they are equal byte for byte, and every change is
found.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from msgspec import Raw

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Connection, Pool
from daybook_projector.audit.checks.finding import Finding, Findings
from daybook_projector.audit.checks.row_hash import TableDigest, row_hash
from daybook_projector.audit.fold.compare_rows import TableTotals, compare_table, table_name
from daybook_projector.audit.fold.fold import PartitionFold, merged_rows
from daybook_projector.audit.fold.live_rows import live_rows
from daybook_projector.audit.fold.parents import PARENTS
from daybook_projector.projections.changes import Table
from daybook_projector.projections.fold import TABLES
from support.audit_folds import entries_of, folding, take
from support.deciding import Deciders, append_decision
from support.logbook import Logbook, org_in, project, thing, user_in
from support.poison import ANN, BOB, ORG, OTHER_ORG, POISONS, Poisoning, a_name_too_long_for_an_index, connect, founded
from support.projecting import StrictWriter, database, post
from support.stack import FreshSettings
from support.workload import Population, RandomCommands

NUMBERS = b"[1e+21,5e-324,1.7976931348623157e+308,9007199254740992,0.1,1e-7,12345678901234567000]"
CHANGED = {
    "uuid": "'0f000000-0000-4000-8000-000000000001'",
    "text": "'changed'",
    "org_role": "'viewer'",
    "jsonb": """'{"changed": true}'""",
    "boolean": "NOT {}",
    "integer": "{} + 1",
    "timestamptz": "{} + interval '1 microsecond'",
}
CHECKED = {
    ("project_members", "role"): "'viewer'",
    ("sync_runs", "status"): "'cancelled'",
    ("dlq_events", "status"): "'resolved'",
    ("integration_alerts", "severity"): "'critical'",
}
"""Other values for columns that accept only certain values."""
REFERENCES = """
SELECT replace(connamespace::regnamespace || '.' || relname, 'public.', '') AS child, attname AS column,
       confrelid::regclass::text AS parent
  FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
  JOIN pg_class ON pg_class.oid = conrelid
 WHERE contype = 'f' AND confrelid <> 'auth.users'::regclass AND conrelid <> 'audit_log'::regclass
   AND (connamespace = 'public'::regnamespace OR conrelid = 'daybook.connection_activity'::regclass)
"""


def one_of_each() -> Logbook:
    """A log that leaves one row in each table, except for two in users, two in orgs and three in org_members."""
    log = founded()
    connect(log)
    log.add(
        ORG,
        ANN,
        facts.MemberAdded(role="member", user_id=BOB),
        facts.ProjectMemberAdded(project_id=project(3), role="admin", user_id=BOB),
        facts.SecretRefCreated(secret_ref_id=thing(7), key_name="a", secret_id_ref="env:A"),
        facts.AlertRaised(alert_id=thing(8), project_id=project(3), severity="info", message="a"),
        facts.SyncStarted(connection_id=thing(1), sync_run_id=thing(2)),
        facts.SyncFailed(connection_id=thing(1), sync_run_id=thing(2), error_message="a\u2028\x01é😀"),
        facts.DlqEventRecorded(connection_id=thing(1), dlq_event_id=thing(3), payload=Raw(NUMBERS)),
    )
    return log


def history(seed: int, commands: int) -> Logbook:
    """A log of commands of three orgs in three partitions. All users are in partition 0, which is written first."""
    orgs = [org_in(partition, 3) for partition in range(3)]
    users = [user_in(0, 3, number) for number in range(4)]
    log, deciders = Logbook(3), Deciders()
    for send in RandomCommands(Random(seed), Population(orgs, users)).some(commands):
        append_decision(log, deciders.decide(send))
    return log


async def compare(
    connection: Connection, folds: Sequence[PartitionFold], org_id: str | None = None
) -> tuple[list[Finding], dict[str, TableTotals]]:
    findings, totals = Findings(), {}
    for table in TABLES:
        live = live_rows(connection, table, org_id)
        totals[table_name(table)] = await compare_table(table, merged_rows(folds, table), live, findings)
    return findings.listed, totals


@asynccontextmanager
async def undone(connection: Connection) -> AsyncIterator[None]:
    """Lets the block make changes without checks of foreign keys, and rolls them back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SET LOCAL session_replication_role = replica")
        yield
    finally:
        await transaction.rollback()


async def test_after_a_long_history_the_tables_equal_the_fold_of_the_log(
    fresh_settings: FreshSettings, tmp_path: Path
) -> None:
    log = history(7, 1500)
    async with database(fresh_settings(partitions=3)) as pool, pool.acquire() as connection:
        assert await post(pool, log, 700, kind=StrictWriter) == []
        with folding(tmp_path, 0) as one, folding(tmp_path, 1) as two, folding(tmp_path, 2) as three:
            for partition, fold in enumerate((one, two, three)):
                assert take(fold, entries_of(log, partition), 90) == []
            found, totals = await compare(connection, (one, two, three))
            assert found == []
            for table in TABLES:
                rows = list(merged_rows((one, two, three), table))
                digest = TableDigest()
                digest.add(row_hash(row) for _, row in rows)
                assert totals[table_name(table)] == TableTotals(table_name(table), len(rows), digest.hexdigest())
    assert min(total.rows for total in totals.values()) > 0
    assert sum(total.rows for total in totals.values()) > 200


async def test_the_rows_of_one_org_equal_the_fold_of_its_entries(fresh_settings: FreshSettings, tmp_path: Path) -> None:
    log = history(8, 300)
    async with database(fresh_settings(partitions=3)) as pool, pool.acquire() as connection:
        await post(pool, log, kind=StrictWriter)
        for partition in range(3):
            org_id = org_in(partition, 3)
            with folding(tmp_path, partition) as fold:
                take(fold, [entry for entry in entries_of(log, partition) if entry.org_id == org_id])
                found, totals = await compare(connection, [fold], org_id)
            assert found == []
            assert totals["orgs"].rows == 1
            assert totals["auth.users"].rows == 0
            assert totals["sync_runs"].rows > 0


async def test_a_change_of_any_column_is_found(pool: Pool, tmp_path: Path) -> None:
    log = one_of_each()
    await post(pool, log)
    with folding(tmp_path) as fold:
        take(fold, entries_of(log))
        async with pool.acquire() as connection:
            assert (await compare(connection, [fold]))[0] == []
            for table in TABLES:
                for column, sql_type in table.columns.items():
                    value = CHECKED.get((table_name(table), column), CHANGED[sql_type]).replace("{}", column)
                    row = f"(SELECT min(ctid) FROM {table.name})"
                    async with undone(connection):
                        tag = await connection.execute(f"UPDATE {table.name} SET {column} = {value} WHERE ctid = {row}")
                        found, _ = await compare(connection, [fold])
                    assert tag == "UPDATE 1"
                    check_change(found, table, column)


def check_change(found: Sequence[Finding], table: Table, column: str) -> None:
    assert {(each.place, each.table) for each in found} == {("tables", table_name(table))}
    if column in table.key:
        assert sorted(each.check for each in found) == ["missing", "surplus"]
        return
    (finding,) = found
    assert (finding.check, finding.field) == ("row", column)
    assert finding.expected != finding.found


async def test_a_deleted_and_an_added_row_of_any_table_are_found(pool: Pool, tmp_path: Path) -> None:
    log = one_of_each()
    await post(pool, log)
    with folding(tmp_path) as fold:
        take(fold, entries_of(log))
        async with pool.acquire() as connection:
            for table in TABLES:
                row = f"(SELECT min(ctid) FROM {table.name})"
                columns = ", ".join(table.columns)
                added = columns.replace(table.key[0], CHANGED["uuid"], 1).replace("key_name", "'other'")
                async with undone(connection):
                    await connection.execute(f"DELETE FROM {table.name} WHERE ctid = {row}")
                    (missing,), _ = await compare(connection, [fold])
                async with undone(connection):
                    source = f"SELECT {added} FROM {table.name} WHERE ctid = {row}"
                    await connection.execute(f"INSERT INTO {table.name} ({columns}) {source}")
                    (surplus,), _ = await compare(connection, [fold])
                assert (missing.check, missing.table) == ("missing", table_name(table))
                assert (surplus.check, surplus.table) == ("surplus", table_name(table))


@pytest.mark.parametrize(
    ("change", "field", "found"),
    [
        ("UPDATE orgs SET created_at = 'infinity'", "created_at", "infinity"),
        ("UPDATE orgs SET created_at = '10000-01-01Z'", "created_at", "+10000-01-01T00:00:00.000000Z"),
        ("UPDATE sync_runs SET started_at = '0044-03-15 BC Z'", "started_at", "-0043-03-15T00:00:00.000000Z"),
        ("UPDATE sync_runs SET finished_at = NULL", "finished_at", None),
        ("UPDATE dlq_events SET payload_json = '9007199254740993'", "payload_json", "9007199254740993"),
        ("UPDATE dlq_events SET payload_json = '1e400'", "payload_json", "a number overflows a double"),
        (f"UPDATE dlq_events SET payload_json = '{'[' * 600}{']' * 600}'", "payload_json", "nested deeper than 512"),
    ],
)
async def test_a_value_that_no_entry_can_cause_is_found(
    pool: Pool, tmp_path: Path, change: str, field: str, found: str | None
) -> None:
    log = one_of_each()
    await post(pool, log)
    await pool.execute(f"{change} WHERE id IN ('{ORG}', '{thing(2)}', '{thing(3)}')")
    with folding(tmp_path) as fold:
        take(fold, entries_of(log))
        async with pool.acquire() as connection:
            (finding,), _ = await compare(connection, [fold])
    assert (finding.check, finding.field, finding.found) == ("row", field, found)


@pytest.mark.parametrize("limit", [1, 5000])
@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.__name__)
async def test_the_fold_stops_an_org_at_the_same_entry_as_the_projector(
    pool: Pool, tmp_path: Path, poison: Poisoning, limit: int
) -> None:
    log = founded()
    poison(log)
    log.add(ORG, ANN, facts.ProjectCreated(name="later", project_id=project(50)))
    log.add(ORG, ANN, facts.OrgRenamed(name="later"))
    log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="later"))
    projected = await post(pool, log, limit)
    stopped = {each.org_id: each.position for each in projected}
    # Only PostgreSQL knows what its index can hold.
    frozen = stopped if poison is a_name_too_long_for_an_index else {}
    with folding(tmp_path, frozen=frozen) as fold:
        found = take(fold, entries_of(log))
        async with pool.acquire() as connection:
            assert (await compare(connection, [fold]))[0] == []
    assert {each.org_id: each.position for each in found} | frozen == stopped


async def test_the_folds_parents_match_the_foreign_keys(database: Connection) -> None:
    found = {(row["child"], row["column"], row["parent"]) for row in await database.fetch(REFERENCES)}
    assert found == {
        (table_name(table), column, table_name(parent))
        for table, references in PARENTS.items()
        for column, parent in references
    }
