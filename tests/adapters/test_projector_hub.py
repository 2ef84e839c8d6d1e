"""The hub's tables on a real Postgres: what goes with a connection, and what comes again in its place."""

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, free_json
from daybook_infra.runtime.postgres.connections import STATEMENT_SECONDS
from daybook_infra.runtime.settings import Settings
from daybook_projector.postgres.row_writer import CASCADE_SECONDS
from daybook_projector.projections.fold import TABLES
from support.logbook import Logbook, org, project, thing, user
from support.projecting import StrictWriter, database, empty, expected, post, quarantine, tables
from support.stack import FreshSettings
from support.tables import differences

ORG, ANN, SITE = org(1), user(1), project(1)
LINK, RUN, LETTER = thing(1), thing(2), thing(3)

CASCADES = """
SELECT conrelid::regclass::text, a.attname, confrelid::regclass::text
FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = ALL (conkey)
WHERE contype = 'f' AND confdeltype = 'c' AND connamespace = 'public'::regnamespace
"""
UNIQUE = """
SELECT conrelid::regclass::text, array_agg(attname::text ORDER BY a.attnum)
FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = ANY (conkey)
WHERE contype = 'u' AND connamespace = 'public'::regnamespace GROUP BY c.oid
"""

NOTE_THE_LIMIT = """
CREATE TABLE noted (operation text, seconds text);
CREATE FUNCTION note_the_limit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO noted VALUES (TG_OP, current_setting('statement_timeout'));
    RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR DELETE ON dlq_events FOR EACH ROW EXECUTE FUNCTION note_the_limit();
"""


@pytest.fixture(scope="module")
def lasting(lasting_settings: FreshSettings) -> Settings:
    return lasting_settings(partitions=1)


def founded() -> Logbook:
    log = Logbook()
    log.register(ANN)
    log.add(ORG, ANN, facts.OrgCreated(name="a"))
    log.add(ORG, ANN, facts.ProjectCreated(name="p", project_id=SITE))
    return log


def made(link: str = LINK, name: str = "a") -> Fact:
    config = free_json({"deep": {"\u00fc": [1, 2.5, None, True]}})
    return facts.ConnectionCreated(config=config, connection_id=link, name=name, project_id=SITE, type="own")


def with_children(link: str, run: str, letter: str, payload: object = None) -> tuple[Fact, ...]:
    return (
        facts.SyncStarted(connection_id=link, sync_run_id=run),
        facts.DlqEventRecorded(connection_id=link, dlq_event_id=letter, payload=free_json(payload)),
    )


async def any_cut_gives_the_fold(settings: Settings, log: Logbook, *limits: int) -> None:
    async with database(settings) as pool:
        for limit in limits:
            await empty(pool)
            assert await post(pool, log, limit, kind=StrictWriter) == []
            assert differences(expected(log), await tables(pool)) == []
            assert await quarantine(pool) == []


async def test_what_goes_with_a_row_and_what_is_unique_is_declared_as_the_schema_has_it(
    lasting: Settings,
) -> None:
    async with database(lasting) as pool:
        cascades, unique = await pool.fetch(CASCADES), await pool.fetch(UNIQUE)
    hanging = {(table.name, *table.cascades_from) for table in TABLES if table.cascades_from is not None}
    declared = {(_bare(name), column, _bare(parent.name)) for name, column, parent in hanging}
    assert {tuple(row) for row in cascades} == declared
    assert {(name, tuple(columns)) for name, columns in unique} == {
        (_bare(table.name), table.unique) for table in TABLES if table.unique
    }


def _bare(name: str) -> str:
    return name.removeprefix("public.")


async def test_a_payload_that_is_null_is_stored_as_json(lasting: Settings) -> None:
    log = founded()
    log.add(ORG, ANN, made(), *with_children(LINK, RUN, LETTER, None))
    await any_cut_gives_the_fold(lasting, log, 5000)
    async with database(lasting) as pool:
        assert await pool.fetchval("SELECT jsonb_typeof(payload_json) FROM dlq_events") == "null"


async def test_a_connection_takes_its_runs_and_dead_letters_along_and_may_come_again_with_the_same_ids(
    lasting: Settings,
) -> None:
    log = founded()
    for name in "abc":
        log.add(ORG, ANN, made(name=name))
        log.add(ORG, ANN, *with_children(LINK, RUN, LETTER, name))
        log.add(ORG, ANN, facts.DlqEventsRetried(connection_id=LINK, ids=(LETTER,)))
        log.add(ORG, ANN, facts.SyncFailed(connection_id=LINK, sync_run_id=RUN, error_message=name))
        log.add(ORG, ANN, facts.DlqEventResolved(connection_id=LINK, dlq_event_id=LETTER, resolution="manual"))
        if name != "c":
            log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=LINK))
    await any_cut_gives_the_fold(lasting, log, 5000, 9, 6, 3, 1)


async def test_a_dead_letter_may_come_again_under_another_connection(lasting: Settings) -> None:
    log = founded()
    other = thing(4)
    log.add(ORG, ANN, made(), *with_children(LINK, RUN, LETTER))
    log.add(ORG, ANN, facts.DlqEventRetried(connection_id=LINK, dlq_event_id=LETTER, retry_count=1))
    log.add(ORG, ANN, made(other), facts.ConnectionDeleted(connection_id=LINK))
    log.add(ORG, ANN, *with_children(other, RUN, LETTER))
    await any_cut_gives_the_fold(lasting, log, 5000, 5, 1)


async def test_an_alert_and_a_key_name_come_and_go_many_times_in_one_batch(lasting: Settings) -> None:
    log = founded()
    raised = facts.AlertRaised(alert_id=thing(5), project_id=SITE, severity="warning", message="a")
    for number in range(10, 20):
        made_ref = facts.SecretRefCreated(secret_ref_id=thing(number), key_name="k", secret_id_ref="env:A")
        log.add(ORG, ANN, raised, facts.AlertResolved(alert_id=thing(5)))
        log.add(ORG, ANN, made_ref, facts.SecretRefDeleted(secret_ref_id=thing(number)))
    log.add(ORG, ANN, raised, made_ref)
    await any_cut_gives_the_fold(lasting, log, 5000, 7)


async def test_a_connection_deleted_after_its_orgs_poison_entry_stays(
    lasting: Settings,
) -> None:
    log = founded()
    log.add(ORG, ANN, made(), *with_children(LINK, RUN, LETTER))
    poison = log.add(ORG, ANN, made())[0]
    log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=LINK))
    async with database(lasting) as pool:
        await empty(pool)
        assert [one.position for one in await post(pool, log)] == [poison.position]
        assert set((await tables(pool))["dlq_events"]) == {(LETTER,)}


async def test_what_goes_with_a_connection_is_given_more_time_than_other_statements(lasting: Settings) -> None:
    log = founded()
    log.add(ORG, ANN, made(), *with_children(LINK, RUN, LETTER))
    log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=LINK))
    async with database(lasting) as pool:
        await empty(pool)
        await pool.execute(NOTE_THE_LIMIT)
        try:
            assert await post(pool, log, limit=6) == []
            noted = await pool.fetch("SELECT operation, seconds FROM noted")
            assert {row[0]: row[1] for row in noted} == {
                "INSERT": f"{STATEMENT_SECONDS:.0f}s",
                "DELETE": f"{CASCADE_SECONDS / 60:.0f}min",
            }
        finally:
            await pool.execute("DROP TABLE noted; DROP FUNCTION note_the_limit() CASCADE")
