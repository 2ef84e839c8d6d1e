"""The SQL functions daybook.entry_id, daybook.thing_id and daybook.outcome."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st

from daybook_contracts.entries import facts
from daybook_contracts.entries.identity import Identity, Scope, thing_id
from daybook_infra.runtime.postgres.connections import OwnConnection, Pool, connect
from daybook_infra.runtime.settings import Settings
from support.logbook import Logbook, org, user
from support.poison import ANN, BOB, ORG, OTHER_ORG, founded
from support.projecting import entries_of, post
from support.taken_ids import plant, second_id_of

K, C, A = (
    "00000000-0000-4000-8000-000000000001",
    "01890000-0000-7000-8000-000000000002",
    "00000000-0000-4000-8000-00000000000a",
)
SHARED_DATABASE = True
ENTRY_ID = "SELECT daybook.entry_id($1::text::uuid, $2::text::uuid, $3, $4, $5::text::uuid)::text"
SECOND_ID = "SELECT daybook.hashed_id(2, $1::text::uuid, $2::text::uuid, $3, $4, $5::text::uuid)::text"
OUTCOME = "SELECT id::text, metadata_json FROM daybook.outcome($1, $2, $3)"
GOLDEN: list[tuple[str, tuple[str, str, int, str, str | None], str]] = [
    (ENTRY_ID, (K, C, 0, "org", None), "01890000-0000-8daa-918b-21028f9a9b8e"),
    (ENTRY_ID, (K, C, 1, "org", None), "01890000-0000-8c3d-bed0-f62bc555dda6"),
    (ENTRY_ID, (K, C, 0, "user", None), "01890000-0000-8464-8327-f69d5d83c9eb"),
    (ENTRY_ID, (K, C, 0, "outsider", A), "01890000-0000-8d26-8d22-3bc8a880117c"),
    (ENTRY_ID, (K, C, 0, "policy", None), "01890000-0000-8478-a997-e1918be0eb31"),
    (SECOND_ID, (K, C, 0, "org", None), "e62023e5-9523-89c6-84c9-b8c2c8976564"),
    (SECOND_ID, (K, C, 0, "outsider", A), "54e69ad1-9f6e-86ae-afb6-48a3f4916c69"),
]
OTHER_ROWS = """
INSERT INTO audit_log SELECT gen_random_uuid(), null, null, null, 'OTHER', 'org', gen_random_uuid(), 'success', '{}',
    now() FROM generate_series(1, 20000)
"""
SCANS = "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'audit_log'"

identities = st.builds(
    lambda scope, key, actor, command, ordinal: Identity(
        scope, str(key), str(actor) if scope == "outsider" else None, str(command), ordinal
    ),
    st.sampled_from(["org", "user", "outsider", "policy"]),
    st.uuids(),
    st.uuids(),
    st.uuids(),
    st.integers(0, 2**31 - 1),
)


@pytest.mark.parametrize(("statement", "identity", "golden"), GOLDEN)
async def test_ids_have_their_golden_values(
    database: OwnConnection, statement: str, identity: tuple[object, ...], golden: str
) -> None:
    assert await database.fetchval(statement, *identity) == golden


async def test_the_default_is_the_first_entry_of_a_command_on_an_org(database: OwnConnection) -> None:
    assert str(await database.fetchval("SELECT daybook.entry_id($1, $2)", K, C)) == GOLDEN[0][2]
    assert str(await database.fetchval("SELECT daybook.entry_id($1, $2, 1)", K, C)) == GOLDEN[1][2]
    assert str(await database.fetchval("SELECT daybook.thing_id($1, $2)", K, C)) == GOLDEN[5][2]


async def test_an_actor_is_used_and_required_for_outsiders_only(database: OwnConnection) -> None:
    assert await database.fetchval(ENTRY_ID, K, C, 0, "org", A) == GOLDEN[0][2]
    assert await database.fetchval(ENTRY_ID, K, C, 0, "outsider", None) is None
    assert await database.fetchval(ENTRY_ID, None, C, 0, "org", None) is None


@trying(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.lists(identities, min_size=20, max_size=40))
def test_sql_and_python_agree_on_every_id(shared_settings: Settings, identities_: list[Identity]) -> None:
    async def in_sql(statement: str) -> list[str]:
        async with connect(shared_settings, "test") as connection:
            return [
                await connection.fetchval(statement, each.key, each.command_id, each.ordinal, each.scope, each.actor)
                for each in identities_
            ]

    assert asyncio.run(in_sql(ENTRY_ID)) == [each.first_id() for each in identities_]
    assert asyncio.run(in_sql(SECOND_ID)) == [each.second_id() for each in identities_]


async def test_sql_and_python_agree_on_the_id_of_a_thing(database: OwnConnection) -> None:
    assert str(await database.fetchval("SELECT daybook.thing_id($1, $2)", A, C)) == thing_id(A, C)


async def outcome_rows(pool: Pool, key: str, command_id: str, actor: str | None = None) -> list[tuple[str, str, int]]:
    """The principal, scope and ordinal of each row of the outcome."""
    rows = [json.loads(row["metadata_json"]) for row in await pool.fetch(OUTCOME, key, command_id, actor)]
    return [(row["principal"], row["scope"], row["ordinal"]) for row in rows]


def command_of(log: Logbook, position: int) -> str:
    id_: str = entries_of(log, 0)[position]["metadata_json"]["command_id"]
    return id_


async def test_an_outcome_has_the_entries_of_the_command_in_order(pool: Pool) -> None:
    log = founded()
    renamed = [facts.OrgRenamed(name=f"{number}") for number in range(12)]
    place = log.add(ORG, ANN, *renamed)[0]
    await post(pool, log)
    found = await outcome_rows(pool, ORG, command_of(log, place.position))
    assert found == [(f"user:{ANN}", "org", ordinal) for ordinal in range(12)]


async def test_the_outcome_of_a_registration_is_found_by_the_user_id(pool: Pool) -> None:
    log = founded()
    await post(pool, log)
    assert await outcome_rows(pool, BOB, command_of(log, 1)) == [(f"user:{BOB}", "user", 0)]
    assert await outcome_rows(pool, BOB, command_of(log, 0)) == []
    assert await outcome_rows(pool, ORG, command_of(log, 1)) == []


async def test_an_org_takes_precedence_over_a_user_with_the_same_id(pool: Pool) -> None:
    log = founded()
    log.add(ANN, ANN, facts.OrgCreated(name="a"))
    log.commands -= 1
    log.add(None, ANN, facts.UserRegistered(user_id=ANN, changed=False))
    await post(pool, log)
    command_id = command_of(log, len(log.records[0]) - 1)
    assert await outcome_rows(pool, ANN, command_id) == [(f"user:{ANN}", "org", 0)]


async def test_an_outsider_finds_its_own_rejection_and_others_the_command_of_the_org(pool: Pool) -> None:
    log, stranger = founded(), user(9)
    log.refuse_outsider(ORG, None, "RENAME_ORG", ORG, {"actor_user_id": stranger})
    log.commands -= 1
    log.refuse_outsider(ORG, BOB, "RENAME_ORG", ORG, {})
    log.commands -= 1
    log.add(ORG, ANN, facts.OrgRenamed(name="b"))
    await post(pool, log)
    command_id = command_of(log, 4)
    assert await outcome_rows(pool, ORG, command_id) == [(f"user:{ANN}", "org", 0)]
    assert await outcome_rows(pool, ORG, command_id, ANN) == [(f"user:{ANN}", "org", 0)]
    assert await outcome_rows(pool, ORG, command_id, BOB) == [(f"user:{BOB}", "outsider", 0)]
    assert [row[1] for row in await outcome_rows(pool, ORG, command_id, stranger)] == ["outsider"]
    assert await outcome_rows(pool, OTHER_ORG, command_id, BOB) == []


@pytest.mark.parametrize("scope", ["policy", "outsider"])
async def test_policy_entries_and_attempts_of_other_outsiders_are_not_found(pool: Pool, scope: Scope) -> None:
    log = founded()
    identity = Identity(scope, ORG, BOB if scope == "outsider" else None, C)
    log.add(ORG, BOB, facts.OrgRenamed(name="b"), scope=scope, command_id=C, id=identity.first_id())
    await post(pool, log)
    assert await pool.fetchval("SELECT count(*) FROM audit_log WHERE id = $1", identity.first_id()) == 1
    assert await outcome_rows(pool, ORG, C) == []
    assert await outcome_rows(pool, ORG, C, ANN) == []


async def test_an_entry_under_its_second_id_is_found_instead_of_the_row_with_its_first(pool: Pool) -> None:
    log = founded()
    log.refuse_outsider(ORG, None, "RENAME_ORG", ORG, {"actor_user_id": user(9)})
    log.add(ORG, ANN, facts.OrgRenamed(name="b"), facts.OrgRenamed(name="c"))
    for entry in entries_of(log, 0)[4:]:
        await plant(pool, entry["id"])
    await post(pool, log)
    for position, key, actor, count in ((4, ORG, user(9), 1), (5, ORG, None, 2)):
        rows = await pool.fetch(OUTCOME, key, command_of(log, position), actor)
        expected = [second_id_of(entry) for entry in entries_of(log, 0)[position : position + count]]
        assert [row["id"] for row in rows] == expected


async def test_an_entry_that_differs_in_one_part_of_its_identity_is_not_found(pool: Pool) -> None:
    """It is not found even if its row has the id that is looked up."""
    log = founded()
    log.add(ORG, ANN, facts.OrgRenamed(name="b"))
    await post(pool, log)
    metadata = await pool.fetchval("SELECT metadata_json FROM audit_log WHERE action = 'RENAME_ORG'")
    id_ = Identity("org", ORG, None, C).first_id()
    for part, value in (("key", org(7)), ("scope", "policy"), ("command_id", A), ("ordinal", 1)):
        forged = json.loads(metadata) | {"command_id": C, "hash": "e" * 64} | {part: value}
        await pool.execute(
            "INSERT INTO audit_log VALUES ($1, null, null, null, $2, 'org', $1, 'success', $3, now())",
            id_,
            part,
            json.dumps(forged),
        )
        assert await outcome_rows(pool, ORG, C) == []
        await pool.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only")
        await pool.execute("DELETE FROM audit_log WHERE id = $1", id_)


@pytest.mark.parametrize("entries", ["many", 0, -1, 1e300, 2.5, None])
async def test_an_invalid_number_of_entries_is_ignored(pool: Pool, entries: object) -> None:
    metadata = {"scope": "org", "key": K, "command_id": C, "ordinal": 0, "entries": entries, "principal": "x"}
    await pool.execute(
        "INSERT INTO audit_log VALUES ($1, null, null, null, 'A', 'org', $1, 'success', $2, now())",
        GOLDEN[0][2],
        json.dumps(metadata),
    )
    assert await outcome_rows(pool, K, C) == [("x", "org", 0)]


async def test_an_outcome_is_read_by_primary_key_only(pool: Pool) -> None:
    log = founded()
    log.add(ORG, ANN, facts.OrgRenamed(name="b"), facts.OrgRenamed(name="c"))
    await post(pool, log)
    await pool.execute(OTHER_ROWS)
    await pool.execute("ANALYZE audit_log")
    async with pool.acquire() as connection, connection.transaction():
        before = await connection.fetchrow(SCANS) or (0, 0)
        assert len(await connection.fetch(OUTCOME, ORG, command_of(log, 4), ANN)) == 2
        after = await connection.fetchrow(SCANS) or (0, 0)
        # Each look-up tries two ids. Four look-ups: the outsider's entry (not found), the first entry, and then both
        # entries.
        assert (after[0] - before[0], after[1] - before[1]) == (0, 8)
