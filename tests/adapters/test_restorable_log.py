"""Reads from `audit_log` the bytes that the entries had in a lost topic, or refuses and names the first entry that is
missing, altered or redacted.
"""

from collections.abc import Iterator

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.log.head import Head
from daybook_infra.runtime.postgres.checkpoints import load_checkpoint
from daybook_infra.runtime.postgres.connections import Connection, Pool
from daybook_projector.audit.log.table import TableLog
from daybook_projector.audit.restoring.refused import Refused
from daybook_projector.audit.restoring.whole_log import whole_log
from support.auditing import unguarded
from support.logbook import Logbook, log_with, org, project, user
from support.poison import (
    Poisoning,
    a_row_that_is_not_there,
    a_wrong_id,
    an_unknown_action,
    an_unknown_version,
    data_that_does_not_fit,
    founded,
)
from support.projecting import post
from support.taken_ids import cut_first_ids, plant

SHARED_DATABASE = True
ORG, ANN = org(1), user(1)
AT = 3
"""The position of the entry that most cases damage."""
ENTRIES = 6


def a_log() -> Logbook:
    log = log_with(ORG)
    for number in range(ENTRIES - 2):
        log.add(ORG, ANN, facts.ProjectCreated(name=f"p{number}", project_id=project(number)))
        log.void(0)
    return log


async def restorable(connection: Connection, last: Head | None = None, partitions: int = 1) -> list[bytes]:
    head = last or (await load_checkpoint(connection, 0)).head
    pages = whole_log(TableLog(connection), 0, head, partitions)
    return [followed.value async for page in pages for followed in page]


def admitted(log: Logbook) -> list[bytes]:
    return [value for value in log.records[0] if value is not None and value.startswith(b"{")]


@pytest.mark.parametrize(
    "poisoned",
    [a_row_that_is_not_there, a_wrong_id, an_unknown_action, an_unknown_version, data_that_does_not_fit],
)
async def test_every_admitted_entry_is_restored(pool: Pool, poisoned: Poisoning) -> None:
    log = founded()
    poisoned(log)
    log.add(ORG, ANN, facts.OrgRenamed(name="after"))
    log.refuse(ORG, ANN, "RENAME_PROJECT", project(99), {"project_id": project(99)})
    log.refuse_outsider(ORG, None, "RENAME_ORG", ORG, {"actor_user_id": user(9)})
    await post(pool, log)
    async with pool.acquire() as connection:
        assert await restorable(connection) == admitted(log)


async def test_a_row_with_its_second_id_is_restored_under_its_first(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_first_ids(monkeypatch)
    log = a_log()
    await plant(pool, log.add(ORG, ANN, facts.OrgRenamed(name="later"))[0].id)
    await post(pool, log)
    async with pool.acquire() as connection:
        assert await restorable(connection) == admitted(log)


HERE = f"WHERE metadata_json->'position' = '{AT}'"
LAST = f"WHERE metadata_json->'position' = '{ENTRIES - 1}'"


def metadata(member: str, jsonb: str) -> str:
    return f"UPDATE audit_log SET metadata_json = jsonb_set(metadata_json, '{{{member}}}', '{jsonb}') {HERE}"


def damages() -> Iterator[tuple[str, str, str]]:
    """For each kind of damage: its name, the SQL statement, and the refusal."""
    columns = "org_id, project_id, actor_user_id, action, entity_type, entity_id, result, metadata_json, created_at"
    again = f"INSERT INTO audit_log (id, {columns}) SELECT gen_random_uuid(), {columns} FROM audit_log {HERE}"
    redacted = f"""UPDATE audit_log SET metadata_json = metadata_json || '{{"data": null, "salt": null}}' {HERE}"""
    yield "a missing row", f"DELETE FROM audit_log {HERE}", f"missing: audit_log 0.{AT}"
    yield "the last row is missing", f"DELETE FROM audit_log {LAST}", f"missing: audit_log 0.{ENTRIES - 1}"
    yield "a row twice", again, f"surplus: audit_log 0.{AT}"
    yield "a redacted entry", redacted, f"entry 0.{AT}, id 01890000-.*, is redacted"
    yield "an altered column", f"UPDATE audit_log SET action = 'X' {HERE}", f"hash: audit_log 0.{AT}"
    yield "altered data", metadata("data,name", '"x"'), f"entry 0.{AT}, id 01890000-.*, has other data"
    yield "data without its salt", metadata("salt", "null"), f"entry 0.{AT}, id 01890000-.*, has other data"
    yield "an altered prev", metadata("prev", '"0"'), f"prev: audit_log 0.{AT}"
    yield "another place", metadata("position", "99"), f"missing: audit_log 0.{AT}"
    yield "no place", metadata("partition", '"x"'), f"missing: audit_log 0.{AT}"
    yield "a number that is not a double", metadata("data,x", "1.00000000000000000001"), f"unreadable: audit_log 0.{AT}"


@pytest.mark.parametrize(("statement", "named"), [case[1:] for case in damages()], ids=[case[0] for case in damages()])
async def test_the_first_damaged_entry_is_named(pool: Pool, statement: str, named: str) -> None:
    await post(pool, a_log())
    async with pool.acquire() as connection:
        assert (await unguarded(connection, statement))[0].endswith(" 1")
        with pytest.raises(Refused, match=named):
            await restorable(connection)


async def test_the_rows_must_end_at_the_checkpoint(pool: Pool) -> None:
    log = a_log()
    await post(pool, log)
    async with pool.acquire() as connection:
        with pytest.raises(Refused, match=f"surplus: audit_log 0.{ENTRIES - 1}"):
            await restorable(connection, Head(ENTRIES - 2, "0" * 64))
        with pytest.raises(Refused, match=f"hash: audit_log 0.{ENTRIES - 1}, expected .*, found"):
            await restorable(connection, Head(ENTRIES - 1, "f" * 64))


async def test_another_number_of_partitions_is_refused(pool: Pool) -> None:
    await post(pool, a_log())
    async with pool.acquire() as connection:
        with pytest.raises(Refused, match=r"entry 0\.1 belongs to partition 2: DAYBOOK_PARTITIONS"):
            await restorable(connection, partitions=4)
