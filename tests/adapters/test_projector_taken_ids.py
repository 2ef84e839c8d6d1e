"""Entries whose first id is already taken by another row, on a real PostgreSQL and Kafka: they are stored with their
second id (docs/log.md, rule 19).
"""

import asyncio
from collections.abc import Callable

import pytest

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.partition.machine import PartitionStopped
from support.chain import second_id
from support.healing import heal, older_than
from support.logbook import Logbook, Place, org, org_in, project, thing, user, user_in
from support.poison import (
    ANN,
    BOB,
    ORG,
    OTHER_ORG,
    a_row_that_is_not_there,
    a_second_org_with_its_id,
    a_wrong_id,
    an_unknown_action,
    an_unknown_version,
    busy,
    founded,
)
from support.projecting import (
    checkpoints,
    database,
    entries_of,
    expected_tables,
    is_lock_awaited,
    post,
    projecting,
    publish,
    quarantine,
    tables,
    until,
    until_projected,
)
from support.stack import FreshSettings
from support.tables import differences
from support.taken_ids import cut_first_ids, other_tables, plant, second_id_of, second_ids

PARTITIONS = 2


def log_with_renaming(org_id: str = ORG) -> tuple[Logbook, Place]:
    log = founded()
    place = log.add(org_id, ANN, facts.OrgRenamed(name="later"))[0]
    log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="after"))
    return log, place


async def assert_complete(pool: Pool, log: Logbook, under_second_id: int) -> None:
    """Asserts that the tables equal the fold of the log, and that `under_second_id` rows have their second id."""
    assert await second_ids(pool, log) == under_second_id
    assert differences({**expected_tables(log), "audit_log": {}}, await other_tables(pool)) == []
    assert await checkpoints(pool) == {number: len(values) for number, values in enumerate(log.records) if values}
    assert await quarantine(pool) == []


@pytest.mark.parametrize("limit", [1, 5000])
@pytest.mark.parametrize("planted", ["f" * 64, None])
async def test_an_entry_whose_first_id_is_taken_is_stored_under_its_second(
    pool: Pool, planted: str | None, limit: int
) -> None:
    log, place = log_with_renaming()
    await plant(pool, place.id, planted)
    assert await post(pool, log, limit) == []
    await assert_complete(pool, log, under_second_id=1)
    second = second_id(ORG, entries_of(log, 0)[4]["metadata_json"]["command_id"])
    assert await pool.fetchval("SELECT action FROM audit_log WHERE id = $1", second) == "RENAME_ORG"
    assert await pool.fetchval("SELECT action FROM audit_log WHERE id = $1", place.id) == "OTHER"


@pytest.mark.parametrize("limit", [1, 3, 5000])
@pytest.mark.parametrize("digits", [0, 1])
async def test_entries_with_the_same_first_id_are_all_stored(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, digits: int, limit: int
) -> None:
    cut_first_ids(monkeypatch, digits)
    log = busy()
    shared = {entry["id"] for entry in entries_of(log, 0)}
    assert await post(pool, log, limit) == []
    await assert_complete(pool, log, under_second_id=len(log.records[0]) - len(shared))


async def test_outsiders_attempts_with_taken_first_ids_are_stored(pool: Pool) -> None:
    log, stranger = founded(), user(9)
    places = [
        log.refuse_outsider(ORG, BOB, "RENAME_ORG", ORG, {}),
        log.refuse_outsider(ORG, None, "RENAME_ORG", ORG, {"actor_user_id": stranger}),
        log.refuse_outsider(None, None, "RENAME_ORG", org(9), {"actor_user_id": stranger, "org_id": org(9)}),
        log.refuse_outsider(None, BOB, "REGISTER_USER", ANN, {}),
    ]
    for place in places:
        await plant(pool, place.id)
    assert await post(pool, log) == []
    await assert_complete(pool, log, under_second_id=len(places))


async def test_two_partitions_with_the_same_first_ids_are_both_projected(
    fresh_settings: FreshSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_first_ids(monkeypatch)
    settings, log = fresh_settings(partitions=PARTITIONS), Logbook(PARTITIONS)
    ann, bob = user_in(0, PARTITIONS), user_in(1, PARTITIONS)
    log.register(ann)
    log.register(bob)
    for number in range(400):
        actor, org_id = (ann, org_in(0, PARTITIONS)) if number % 2 else (bob, org_in(1, PARTITIONS))
        log.add(org_id, actor, facts.OrgRenamed(name=f"{number}") if number > 1 else facts.OrgCreated(name="a"))
    async with database(settings) as pool, projecting(settings) as projector:
        await publish(settings, log)
        await until_projected(pool, log)
        await assert_complete(pool, log, under_second_id=401)
        assert projector.health.ready, projector.health.reasons


@pytest.mark.parametrize("commits", [True, False])
async def test_a_row_of_an_uncommitted_transaction_is_waited_for(pool: Pool, *, commits: bool) -> None:
    log, place = log_with_renaming()
    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await plant(other, place.id)
        writing = asyncio.create_task(post(pool, log))
        await until(lambda: is_lock_awaited(pool), "the projector waits for the other row")
        await (transaction.commit() if commits else transaction.rollback())
        assert await writing == []
        await assert_complete(pool, log, under_second_id=1 if commits else 0)


async def test_a_deadlock_with_another_transaction_is_retried(pool: Pool) -> None:
    """Another transaction has locked the later id and waits for the earlier one. PostgreSQL aborts the projector's
    transaction, because the other one looks for a deadlock only after 60 s.
    """
    log, place = log_with_renaming()
    last = entries_of(log, 0)[-1]["id"]
    async with pool.acquire() as other:
        await other.execute("SET deadlock_timeout = '60s'")
        transaction = other.transaction()
        await transaction.start()
        await plant(other, last)
        writing = asyncio.create_task(post(pool, log))
        await until(lambda: is_lock_awaited(pool), "the projector waits for the other row")
        await plant(other, place.id)
        await transaction.commit()
        assert await writing == []
        await assert_complete(pool, log, under_second_id=2)


@pytest.mark.parametrize("limit", [1, 5000])
@pytest.mark.parametrize("poison", [a_wrong_id, an_unknown_action, a_row_that_is_not_there])
async def test_a_poison_entry_whose_id_is_taken_quarantines_its_org_only(
    pool: Pool, poison: Callable[[Logbook], Place], limit: int
) -> None:
    log = founded()
    place = poison(log)
    log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="later"))
    await plant(pool, place.id)
    assert [(found.org_id, found.position) for found in await post(pool, log, limit)] == [(ORG, place.position)]
    assert await second_ids(pool, log) == 1
    assert (await tables(pool))["orgs"][OTHER_ORG,][0] == "later"


def a_taken_second_id(log: Logbook) -> tuple[str, str | None]:
    place = log.add(ORG, ANN, facts.OrgRenamed(name="poison"))[0]
    log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="later"))
    return place.id, second_id_of(entries_of(log, 0)[place.position])


def an_entry_that_exists_already(log: Logbook) -> tuple[str, str | None]:
    return log.add(ORG, ANN, facts.OrgRenamed(name="twice"))[0].id, None


def an_entry_without_a_second_id(log: Logbook) -> tuple[str, str | None]:
    return an_unknown_version(log).id, None


@pytest.mark.parametrize("limit", [1, 5000])
@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (a_taken_second_id, "cannot be kept in audit_log: other rows have its ids"),
        (an_entry_that_exists_already, "is in audit_log already"),
        (an_entry_without_a_second_id, "cannot be kept .* its second id cannot be computed.*unknown version 2"),
    ],
)
async def test_an_entry_without_a_free_id_stops_the_partition_and_is_named(
    pool: Pool, entry: Callable[[Logbook], tuple[str, str | None]], reason: str, limit: int
) -> None:
    log = founded()
    first, second = entry(log)
    hash_ = entries_of(log, 0)[4]["metadata_json"]["hash"] if entry is an_entry_that_exists_already else "f" * 64
    await plant(pool, first, hash_)
    if second is not None:
        await plant(pool, second)
    with pytest.raises(PartitionStopped, match=rf"entry 0\.4 {reason}"):
        await post(pool, log, limit)
    assert await quarantine(pool) == []
    assert await checkpoints(pool) == ({0: 4} if limit == 1 else {})


async def test_a_collision_in_a_batch_with_poison_does_not_affect_other_orgs(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_first_ids(monkeypatch)
    log = busy()
    place = a_second_org_with_its_id(log)
    log.add(OTHER_ORG, ANN, facts.ProjectCreated(name="a", project_id=project(8)))
    log.add(OTHER_ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(20), key_name="a", secret_id_ref="env:A"))
    assert [found.position for found in await post(pool, log)] == [place.position]
    assert await second_ids(pool, log) == len(log.records[0]) - 1
    assert set((await tables(pool))["secret_refs"]) == {(thing(9),), (thing(20),)}


async def test_an_org_is_healed_from_rows_with_second_ids(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_first_ids(monkeypatch)
    log = busy()
    assert len(await post(pool, log, kind=older_than(facts.OrgRenamed))) == 1
    assert (await heal(settings, ORG)).released
    await assert_complete(pool, log, under_second_id=len(log.records[0]) - 1)
