"""The hub's tables on a real PostgreSQL: cascading deletes, and reused ids and names."""

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, free_json
from daybook_infra.runtime.postgres.connections import STATEMENT_SECONDS, Pool
from daybook_projector.postgres.row_writer import CASCADE_SECONDS
from daybook_projector.projections.fold import TABLES
from support import hub_scene
from support.logbook import Logbook, log_with, org, project, thing, user
from support.projecting import check_cuts, post, tables

ORG, ANN, SITE = org(1), user(1), project(1)
CONNECTION, RUN, LETTER = thing(1), thing(2), thing(3)
SHARED_DATABASE = True

CASCADES = """
SELECT conrelid::regclass::text, a.attname, confrelid::regclass::text
FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = ALL (conkey)
WHERE contype = 'f' AND confdeltype = 'c' AND connamespace::regnamespace::text IN ('public', 'daybook')
"""
UNIQUE = """
SELECT conrelid::regclass::text, array_agg(attname::text ORDER BY a.attnum)
FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = ANY (conkey)
WHERE contype = 'u' AND connamespace = 'public'::regnamespace GROUP BY c.oid
"""

RECORD_TIMEOUT = """
CREATE TABLE recorded (operation text, seconds text);
CREATE FUNCTION record_timeout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO recorded VALUES (TG_OP, current_setting('statement_timeout'));
    RETURN NULL;
END $$;
CREATE TRIGGER record_timeout AFTER INSERT OR DELETE ON dlq_events FOR EACH ROW EXECUTE FUNCTION record_timeout();
"""


def log_with_project() -> Logbook:
    log = log_with(ORG)
    log.add(ORG, ANN, facts.ProjectCreated(name="p", project_id=SITE))
    return log


def connection_created(connection_id: str = CONNECTION, name: str = "a") -> Fact:
    return hub_scene.connection_created(connection_id, SITE, {"deep": {"\u00fc": [1, 2.5, None, True]}}, name=name)


def with_children(connection_id: str, run: str, letter: str, payload: object = None) -> tuple[Fact, ...]:
    return (
        facts.SyncStarted(connection_id=connection_id, sync_run_id=run),
        facts.DlqEventRecorded(connection_id=connection_id, dlq_event_id=letter, payload=free_json(payload)),
    )


async def test_declared_cascades_and_unique_keys_match_the_schema(pool: Pool) -> None:
    cascades, unique = await pool.fetch(CASCADES), await pool.fetch(UNIQUE)
    with_cascade = {(table.name, *table.cascades_from) for table in TABLES if table.cascades_from is not None}
    declared = {(_bare(name), column, _bare(parent.name)) for name, column, parent in with_cascade}
    assert {(_bare(name), column, parent) for name, column, parent in cascades} == declared
    assert {(name, tuple(columns)) for name, columns in unique} == {
        (_bare(table.name), table.unique) for table in TABLES if table.unique
    }


def _bare(name: str) -> str:
    return name.rpartition(".")[2]


async def test_a_null_payload_is_stored_as_json_null(pool: Pool) -> None:
    log = log_with_project()
    log.add(ORG, ANN, connection_created(), *with_children(CONNECTION, RUN, LETTER, None))
    await check_cuts(pool, log, 5000)
    assert await pool.fetchval("SELECT jsonb_typeof(payload_json) FROM dlq_events") == "null"


async def test_a_deleted_connection_may_be_created_again_with_the_same_ids(pool: Pool) -> None:
    log = log_with_project()
    for name in "abc":
        log.add(ORG, ANN, connection_created(name=name))
        log.add(ORG, ANN, *with_children(CONNECTION, RUN, LETTER, name))
        log.add(ORG, ANN, facts.DlqEventsRetried(connection_id=CONNECTION, ids=(LETTER,)))
        log.add(ORG, ANN, facts.SyncFailed(connection_id=CONNECTION, sync_run_id=RUN, error_message=name))
        log.add(ORG, ANN, facts.DlqEventResolved(connection_id=CONNECTION, dlq_event_id=LETTER, resolution="manual"))
        if name != "c":
            log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=CONNECTION))
    await check_cuts(pool, log, 5000, 9, 6, 3, 1)


async def test_a_dead_letter_may_be_recorded_again_under_another_connection(pool: Pool) -> None:
    log = log_with_project()
    other = thing(4)
    log.add(ORG, ANN, connection_created(), *with_children(CONNECTION, RUN, LETTER))
    log.add(ORG, ANN, facts.DlqEventRetried(connection_id=CONNECTION, dlq_event_id=LETTER, retry_count=1))
    log.add(ORG, ANN, connection_created(other), facts.ConnectionDeleted(connection_id=CONNECTION))
    log.add(ORG, ANN, *with_children(other, RUN, LETTER))
    await check_cuts(pool, log, 5000, 5, 1)


async def test_an_alert_and_a_key_name_may_be_reused_many_times_in_one_batch(pool: Pool) -> None:
    log = log_with_project()
    raised = facts.AlertRaised(alert_id=thing(5), project_id=SITE, severity="warning", message="a")
    for number in range(10, 20):
        ref_created = facts.SecretRefCreated(secret_ref_id=thing(number), key_name="k", secret_id_ref="env:A")
        log.add(ORG, ANN, raised, facts.AlertResolved(alert_id=thing(5)))
        log.add(ORG, ANN, ref_created, facts.SecretRefDeleted(secret_ref_id=thing(number)))
    log.add(ORG, ANN, raised, ref_created)
    await check_cuts(pool, log, 5000, 7)


async def test_a_connection_deleted_after_a_poison_entry_is_kept(pool: Pool) -> None:
    log = log_with_project()
    log.add(ORG, ANN, connection_created(), *with_children(CONNECTION, RUN, LETTER))
    poison = log.add(ORG, ANN, connection_created())[0]
    log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=CONNECTION))
    assert [found.position for found in await post(pool, log)] == [poison.position]
    found = await tables(pool)
    assert (set(found["source_connections"]), set(found["dlq_events"])) == ({(CONNECTION,)}, {(LETTER,)})


async def test_a_cascading_delete_has_a_longer_timeout(pool: Pool) -> None:
    log = log_with_project()
    log.add(ORG, ANN, connection_created(), *with_children(CONNECTION, RUN, LETTER))
    log.add(ORG, ANN, facts.ConnectionDeleted(connection_id=CONNECTION))
    await pool.execute(RECORD_TIMEOUT)
    try:
        assert await post(pool, log, limit=6) == []
        recorded = await pool.fetch("SELECT operation, seconds FROM recorded")
        assert {row[0]: row[1] for row in recorded} == {
            "INSERT": f"{STATEMENT_SECONDS:.0f}s",
            "DELETE": f"{CASCADE_SECONDS / 60:.0f}min",
        }
    finally:
        await pool.execute("DROP TABLE recorded; DROP FUNCTION record_timeout() CASCADE")
