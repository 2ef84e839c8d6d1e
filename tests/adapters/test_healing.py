"""Healing on a real PostgreSQL: an org's rows become those of its log, the org is released, others do not change."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.postgres.connections import connect as connected
from daybook_infra.runtime.settings import Settings
from daybook_projector.projections.connection_activity import CONNECTION_ACTIVITY
from daybook_projector.projections.fold import folds
from daybook_projector.rebuild.differences import Difference
from daybook_projector.rebuild.org_rebuild import TABLES_OF_ORGS
from daybook_projector.rebuild.refusal import RebuildRefused
from daybook_projector.rebuild.shadow_tables import TEMPORARY, ShadowTables
from support.healing import heal, older_than, post_rest
from support.histories import logs
from support.logbook import Logbook, log_with, thing
from support.poison import ANN, BOB, ORG, OTHER_ORG, POISONS, Poisoning, a_row_that_is_not_there, busy, founded
from support.projecting import check_fold, database, empty_tables, expected_tables, post, quarantine, tables
from support.rebuilding import damage, full, hurt
from support.tables import Tables, differences

ALL = folds(managed_users=True)
SKIPPABLE = sorted({fact for fact in ALL if fact is not facts.UserRegistered}, key=lambda fact: fact.__name__)
SHARED_DATABASE = True
STATE = "SELECT generation, released_at IS NULL FROM daybook.quarantine WHERE org_id = $1"


# Constraints by bare table name. Temporary tables cannot reference auth.users.
CONSTRAINTS = """
SELECT replace(conrelid::regclass::text, 'shadow_', ''), replace(pg_get_constraintdef(oid), 'shadow_', '')
  FROM pg_constraint WHERE connamespace = $1::regnamespace AND contype IN ('p', 'u', 'f', 'c', 'n')
   AND conrelid <> 'public.audit_log'::regclass AND conrelid::regclass::text NOT LIKE '%keys%'
   AND confrelid <> 'auth.users'::regclass
"""


async def test_a_newer_version_heals_an_org_whose_entry_an_older_version_could_not_read(
    settings: Settings, pool: Pool
) -> None:
    log = busy()
    assert len(await post(pool, log, kind=older_than(facts.OrgRenamed))) == 1
    healed = await heal(settings, ORG)
    await check_fold(pool, log)
    assert tuple(await pool.fetchrow(STATE, ORG) or ()) == (2, False)
    assert (healed.entries, healed.released) == (len(log.records[0]) - 3, True)
    assert healed.differences == (
        Difference("public.orgs", other=1),
        Difference("public.org_members", missing=1),
        Difference("public.projects", other=1),
        Difference("public.project_members", other=1),
        Difference("public.secret_refs", missing=1, surplus=1),
        Difference("public.source_connections", other=1),
        Difference("daybook.connection_activity", other=1),
        Difference("public.sync_runs", other=1),
        Difference("public.dlq_events", other=1),
        Difference("public.integration_alerts", surplus=1),
    )


@trying(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(log=logs, unknown=st.sets(st.sampled_from(SKIPPABLE), min_size=1, max_size=6))
async def test_orgs_with_any_entries_unknown_to_an_older_version_are_healed(
    shared_settings: Settings, log: Logbook, unknown: set[type[Fact]]
) -> None:
    async with database(shared_settings) as pool:
        await empty_tables(pool)
        poisons = await post(pool, log, limit=7, kind=older_than(*unknown))
        for poison in poisons:
            assert (await heal(shared_settings, poison.org_id)).released
        await check_fold(pool, log)


@pytest.mark.parametrize("poison", POISONS)
async def test_an_entry_that_still_cannot_be_applied_is_named_and_nothing_changes(
    settings: Settings, pool: Pool, poison: Poisoning
) -> None:
    log = founded()
    place = poison(log)
    log.add(ORG, ANN, facts.OrgRenamed(name="later"))
    await post(pool, log)
    before = await state(pool)
    with pytest.raises(RebuildRefused, match=rf"^entry {place.text} \([A-Z_]+\) cannot be applied: \S"):
        await heal(settings, ORG)
    assert await state(pool) == before


async def state(pool: Pool) -> tuple[Tables, list[tuple[str, int, int]]]:
    return await tables(pool), await quarantine(pool)


async def test_a_missing_user_can_be_added_before_healing(settings: Settings, pool: Pool) -> None:
    log = log_with(ORG)
    log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=BOB))
    await post(pool, log)
    with pytest.raises(
        RebuildRefused, match=rf"entry 0\.2 \(ADD_MEMBER\) cannot be applied: user {BOB} does not exist"
    ):
        await heal(settings, ORG)
    await pool.execute("INSERT INTO auth.users VALUES ($1, now())", BOB)
    assert (await heal(settings, ORG)).released
    assert set((await tables(pool))["org_members"]) == {(ORG, ANN), (ORG, BOB)}


async def test_entries_are_ordered_by_position_not_by_time(settings: Settings, pool: Pool) -> None:
    log = founded()
    log.add(ORG, ANN, facts.OrgRenamed(name="b"))
    log.add(ORG, ANN, facts.OrgRenamed(name="c"), created_at="2026-01-01T00:00:00.000000Z")
    await post(pool, log, kind=older_than(facts.OrgRenamed))
    assert (await heal(settings, ORG)).released
    assert (await tables(pool))["orgs"][ORG,][0] == "c"


async def test_manually_changed_rows_are_restored_from_the_log(settings: Settings, pool: Pool) -> None:
    log = busy()
    log.add(ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(10), key_name="b", secret_id_ref="env:B"))
    await post(pool, log)
    good = await tables(pool)
    await pool.execute("DELETE FROM org_members WHERE user_id = $1", BOB)
    await pool.execute("INSERT INTO secret_refs VALUES ($1, $2, 'c', 'env:C')", thing(11), ORG)
    for id_, name in ((9, "d"), (10, "a"), (9, "b")):
        await pool.execute("UPDATE secret_refs SET key_name = $2 WHERE id = $1", thing(id_), name)
    log.add(ORG, ANN, facts.MemberUpdated(role="admin", user_id=BOB))
    await post_rest(pool, log)
    assert len(await quarantine(pool)) == 1
    assert (await heal(settings, ORG)).released
    found = await tables(pool)
    assert found["secret_refs"] == good["secret_refs"]
    assert differences(expected_tables(log), found) == []


async def test_missing_rows_that_others_refer_to_are_restored(settings: Settings, pool: Pool) -> None:
    log = full()
    await post(pool, log, kind=older_than(facts.OrgRenamed))
    gone = damage("gone", [f"DELETE FROM {table}" for table in ("project_members", "integration_alerts", "projects")])
    await hurt(pool, gone)
    assert (await heal(settings, ORG)).released
    await check_fold(pool, log)


async def test_a_healed_org_is_projected_again_and_can_be_quarantined_again(settings: Settings, pool: Pool) -> None:
    log = founded()
    log.add(ORG, ANN, facts.OrgRenamed(name="b"))
    await post(pool, log, kind=older_than(facts.OrgRenamed))
    assert (await heal(settings, ORG)).released
    again = await heal(settings, ORG)
    assert (again.released, again.differences) == (False, ())
    assert tuple(await pool.fetchrow(STATE, ORG) or ()) == (2, False)
    log.add(ORG, ANN, facts.OrgRenamed(name="c"))
    await post_rest(pool, log)
    await check_fold(pool, log)
    place = a_row_that_is_not_there(log)
    await post_rest(pool, log)
    assert await quarantine(pool) == [(ORG, place.position, 3)]


async def test_comparing_changes_nothing(settings: Settings, pool: Pool) -> None:
    log = busy()
    await post(pool, log, kind=older_than(facts.OrgRenamed))
    await pool.execute("UPDATE orgs SET name = 'b' WHERE id = $1", OTHER_ORG)
    before = await state(pool)
    first, other = await heal(settings, ORG, apply=False), await heal(settings, OTHER_ORG, apply=False)
    assert await state(pool) == before
    assert (first.released, len(first.differences)) == (False, 10)
    assert (other.released, other.differences) == (False, (Difference("public.orgs", other=1),))


async def test_the_temporary_tables_have_the_constraints_of_the_real_ones(shared_settings: Settings) -> None:
    async with connected(shared_settings, "test") as connection:
        shadows = ShadowTables(TEMPORARY, TABLES_OF_ORGS)
        await shadows.create(connection)
        await shadows.add_keys(connection)
        temporary_schema = await connection.fetchval("SELECT pg_my_temp_schema()::regnamespace::text")
        found = {
            schema: {tuple(row) for row in await connection.fetch(CONSTRAINTS, schema)}
            for schema in ("public", "daybook", temporary_schema)
        }
    # A table of schema daybook is printed with the schema if the search path lacks it.
    all_of_daybook = {(name.removeprefix("daybook."), rule) for name, rule in found["daybook"]}
    activity = {each for each in all_of_daybook if f"daybook.{each[0]}" == CONNECTION_ACTIVITY.name}
    assert (len(found["public"]) > 20, len(activity) > 3) == (True, True)
    assert found[temporary_schema] == found["public"] | activity
