"""Quarantine on a real PostgreSQL: after a poison entry, the rows of its org no longer change, but `audit_log` still
grows, and the rows of other orgs still change.
"""

from collections.abc import Callable

import pytest

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_projector.partition.machine import PartitionStopped
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.changes import Insert
from daybook_projector.projections.fold import Folds
from daybook_projector.projections.rule import Columns
from support.healing import post_rest
from support.logbook import Logbook, log_with, org, org_in, project, user_in
from support.poison import (
    ANN,
    BOB,
    ORG,
    OTHER_ORG,
    POISONS,
    WRONG_ID,
    Poisoning,
    a_row_that_is_not_there,
    a_wrong_id,
    an_unknown_action,
    founded,
)
from support.projecting import checkpoints, database, post, quarantine, tables
from support.stack import FreshSettings

SITE = project(1)


def add_later_entries(log: Logbook) -> None:
    """Entries of both orgs after the poison entry."""
    for number, org_id in enumerate((ORG, OTHER_ORG), start=1):
        log.add(org_id, ANN, facts.OrgRenamed(name="later"))
        log.add(org_id, ANN, facts.ProjectCreated(name="later", project_id=project(number)))
        log.add(org_id, ANN, facts.MemberAdded(role="admin", user_id=BOB))


async def assert_only_the_quarantined_org_stops(pool: Pool, log: Logbook) -> None:
    found = await tables(pool)
    assert found["orgs"][ORG,][0] == "a"
    assert found["orgs"][OTHER_ORG,][0] == "later"
    assert set(found["org_members"]) == {(ORG, ANN), (OTHER_ORG, ANN), (OTHER_ORG, BOB)}
    assert set(found["projects"]) - {(project(3),)} == {(project(1),), (project(2),)}
    assert len(found["audit_log"]) == len(log.records[0])
    assert await checkpoints(pool) == {0: len(log.records[0])}


@pytest.mark.parametrize("limit", [1, 5000])
@pytest.mark.parametrize("poison", POISONS)
async def test_an_entry_that_cannot_be_applied_stops_its_org_only(pool: Pool, poison: Poisoning, limit: int) -> None:
    log = founded()
    place = poison(log)
    add_later_entries(log)
    found = await post(pool, log, limit)
    assert [(poison.org_id, poison.position) for poison in found] == [(ORG, place.position)]
    await assert_only_the_quarantined_org_stops(pool, log)
    assert await quarantine(pool) == [(ORG, place.position, 1)]


@pytest.mark.parametrize("limit", [1, 5000])
async def test_an_entry_in_a_foreign_partition_quarantines_its_org_and_changes_no_row(
    fresh_settings: FreshSettings, limit: int
) -> None:
    ann, first, other = user_in(0, 2), org_in(0, 2), org_in(1, 2)
    log = log_with(first, other, users=[ann], partitions=2)
    place = log.add(first, ann, facts.OrgRenamed(name="foreign"), partition=1)[0]
    log.add(other, ann, facts.OrgRenamed(name="later"))
    async with database(fresh_settings(partitions=2)) as pool:
        found = await post(pool, log, limit)
        assert [(poison.org_id, poison.position) for poison in found] == [(first, place.position)]
        assert "is in partition 1, but its org belongs to partition 0 of 2" in found[0].reason
        orgs = (await tables(pool))["orgs"]
        assert (orgs[first,][0], orgs[other,][0]) == ("a", "later")


async def test_entries_before_the_poison_entry_are_applied(pool: Pool) -> None:
    log = founded()
    log.add(ORG, ANN, facts.OrgRenamed(name="before"), facts.OrgCreated(name="poison"), facts.OrgRenamed(name="after"))
    await post(pool, log)
    assert (await tables(pool))["orgs"][ORG,][0] == "before"


async def test_a_poison_creation_still_writes_the_rows_that_audit_log_references(pool: Pool) -> None:
    log = founded()
    log.add(org(3), ANN, facts.OrgCreated(name="new"), id=WRONG_ID)
    log.add(org(3), ANN, facts.ProjectCreated(name="its", project_id=SITE))
    log.add(org(3), ANN, facts.ProjectMemberAdded(project_id=SITE, role="admin", user_id=ANN))
    assert [poison.org_id for poison in await post(pool, log)] == [org(3)]
    found = await tables(pool)
    assert found["orgs"][org(3),][0] == "new"
    assert found["projects"][SITE,][:2] == (org(3), "its")
    assert found["project_members"] == {}
    assert len(found["audit_log"]) == len(log.records[0])


async def test_a_second_poison_entry_changes_nothing(pool: Pool) -> None:
    log = founded()
    first = a_wrong_id(log)
    an_unknown_action(log)
    assert len(await post(pool, log, limit=1)) == 1
    assert await quarantine(pool) == [(ORG, first.position, 1)]


async def test_a_released_org_is_projected_again_and_can_be_quarantined_again(pool: Pool) -> None:
    log = founded()
    a_row_that_is_not_there(log)
    await post_rest(pool, log)
    await pool.execute("UPDATE daybook.quarantine SET released_at = now(), generation = generation + 1")
    log.add(ORG, ANN, facts.OrgRenamed(name="healed"))
    await post_rest(pool, log)
    assert (await tables(pool))["orgs"][ORG,][0] == "healed"
    place = a_row_that_is_not_there(log)
    await post_rest(pool, log)
    assert await quarantine(pool) == [(ORG, place.position, 3)]


async def test_a_bug_in_a_fold_quarantines_the_orgs_it_affects(pool: Pool) -> None:
    def buggy(_columns: Columns, fact: facts.ProjectCreated) -> tuple[Insert]:
        raise ZeroDivisionError(fact.name)

    class Buggy(Writer):
        def __init__(self, pool: Pool, rules: Folds) -> None:
            super().__init__(pool, {**rules, facts.ProjectCreated: (buggy,)})

    log = founded()
    log.add(ORG, ANN, facts.ProjectCreated(name="p", project_id=SITE))
    found = await post(pool, log, kind=Buggy)
    assert [(poison.org_id, poison.reason) for poison in found] == [(ORG, "the fold failed: ZeroDivisionError")]


def without_an_org(log: Logbook) -> None:
    log.add(None, ANN, facts.UserRegistered(user_id=ANN))


def with_unreadable_columns(log: Logbook) -> None:
    log.add(ORG, ANN, facts.OrgRenamed(name="a"), entity_id="nobody")


def with_metadata_that_jsonb_refuses(log: Logbook) -> None:
    log.add(ORG, ANN, facts.OrgRenamed(name="a"), data=b'{"name":"a\\u0000b"}')


def with_a_project_that_does_not_exist(log: Logbook) -> None:
    log.add(ORG, ANN, facts.OrgRenamed(name="a"), project_id=SITE)


@pytest.mark.parametrize("limit", [1, 5000])
@pytest.mark.parametrize(
    "poison",
    [without_an_org, with_unreadable_columns, with_metadata_that_jsonb_refuses, with_a_project_that_does_not_exist],
)
async def test_an_entry_that_audit_log_cannot_store_stops_the_partition(
    pool: Pool, poison: Callable[[Logbook], None], limit: int
) -> None:
    log = founded()
    poison(log)
    with pytest.raises(PartitionStopped, match=r"0\.4"):
        await post(pool, log, limit)
    assert await checkpoints(pool) == ({0: 4} if limit == 1 else {})
    assert await quarantine(pool) == []
    assert len((await tables(pool))["audit_log"]) == (4 if limit == 1 else 0)
