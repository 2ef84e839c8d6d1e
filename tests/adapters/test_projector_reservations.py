"""Chosen ids on a real PostgreSQL: the projector reserves them, so that a restored database gets its reservations
back.
"""

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, free_json
from daybook_contracts.entries.identity import thing_id
from daybook_infra.runtime.postgres.connections import Pool
from daybook_projector.postgres import kept_entries
from support.hub_scene import alert_raised, connection_created
from support.logbook import command_id, org, project, thing
from support.poison import ANN, ORG, OTHER_ORG, a_row_that_is_not_there, founded
from support.projecting import post

SITE = project(1)
CONFIG = free_json({})


def facts_with_chosen_ids(site: str, first: int = 1) -> list[Fact]:
    """One fact of each kind whose id a service may choose."""
    link, run, letter, alert, ref = (thing(number) for number in range(first, first + 5))
    return [
        facts.ProjectCreated(name="a", project_id=site),
        connection_created(link, site),
        facts.SyncStarted(connection_id=link, sync_run_id=run),
        facts.DlqEventRecorded(connection_id=link, dlq_event_id=letter, payload=CONFIG),
        facts.AlertRaised(alert_id=alert, project_id=site, severity="info", message="a"),
        facts.SecretRefCreated(secret_ref_id=ref, key_name=f"{first}", secret_id_ref="env:A"),
    ]


async def reserved(pool: Pool) -> dict[str, str]:
    return {row[0]: row[1] for row in await pool.fetch("SELECT id::text, org_id::text FROM daybook.reserved_ids")}


@pytest.mark.parametrize("limit", [1, 5000])
async def test_every_chosen_id_is_reserved_for_its_org(pool: Pool, limit: int) -> None:
    log = founded()
    for fact in facts_with_chosen_ids(SITE):
        log.add(ORG, ANN, fact)
    assert await post(pool, log, limit) == []
    assert await reserved(pool) == dict.fromkeys([SITE, *(thing(number) for number in range(1, 6))], ORG)


async def test_an_existing_reservation_is_kept(pool: Pool) -> None:
    log = founded()
    log.add(ORG, ANN, facts.ProjectCreated(name="a", project_id=SITE))
    log.add(ORG, ANN, facts.ProjectCreated(name="b", project_id=project(2)))
    await pool.execute("INSERT INTO daybook.reserved_ids VALUES ($1, $2)", SITE, org(9))
    await post(pool, log)
    assert await reserved(pool) == {SITE: org(9), project(2): ORG}


async def test_computed_ids_and_policy_alerts_are_not_reserved(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    log = founded()
    site, link = (thing_id(ORG, command_id(log.commands + number)) for number in (1, 2))
    log.add(ORG, ANN, facts.ProjectCreated(name="a", project_id=site))
    log.add(ORG, ANN, connection_created(link, site))
    log.add(ORG, ANN, alert_raised("sync_failing", "warning", link, site))
    monkeypatch.setattr(kept_entries, "RESERVE_IDS", "no statement at all")
    assert await post(pool, log) == []
    assert await reserved(pool) == {}


@pytest.mark.parametrize("limit", [1, 5000])
async def test_ids_of_an_org_in_quarantine_are_reserved(pool: Pool, limit: int) -> None:
    """The ids are reserved at once; the rows are written when the org is healed."""
    log = founded()
    log.add(ORG, ANN, facts.ProjectCreated(name="a", project_id=SITE))
    a_row_that_is_not_there(log)
    for fact in facts_with_chosen_ids(SITE)[1:]:
        log.add(ORG, ANN, fact)
    log.add(OTHER_ORG, ANN, facts.ProjectCreated(name="a", project_id=project(3)))
    assert len(await post(pool, log, limit)) == 1
    things = dict.fromkeys([SITE, *(thing(number) for number in range(1, 6))], ORG)
    assert await reserved(pool) == things | {project(3): OTHER_ORG}


async def test_a_batch_that_fails_reserves_nothing(pool: Pool) -> None:
    log = founded()
    log.add(ORG, ANN, facts.ProjectCreated(name="a", project_id=SITE))

    await pool.execute(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE check_violation; END $$;"
        "CREATE TRIGGER no BEFORE INSERT ON audit_log FOR EACH ROW WHEN (new.action = 'CREATE_PROJECT') "
        "EXECUTE FUNCTION no()"
    )
    with pytest.raises(Exception, match="cannot be written"):
        await post(pool, log)
    assert await reserved(pool) == {}
