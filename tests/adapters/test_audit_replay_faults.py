"""Replays of unusual logs: orgs in quarantine, shared ids, redacted and altered entries, external users."""

import asyncio
from functools import partial

import pytest

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool, connect
from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.explain.row_name import read_row_name
from daybook_projector.audit.explain.run import explain_row
from daybook_projector.audit.log.source import LOGS
from daybook_projector.audit.log.topic import LogBroken
from daybook_projector.audit.replay.past import Redacted
from daybook_projector.audit.replay.schema import DEFAULT_SCHEMA, SchemaRefused, create_schema, drop_schema
from support.auditing import silent
from support.logbook import Logbook, Place, project
from support.poison import (
    ANN,
    BOB,
    ORG,
    OTHER_ORG,
    POISONS,
    Poisoning,
    an_unknown_member_with_a_huge_name,
    busy,
    founded,
)
from support.projecting import database, entries_of, is_lock_awaited, post, publish, quarantine, until
from support.recounted import ACTIVITY
from support.replaying import past_tables, replay, replayed_tables
from support.second_fold import FOLDED, SecondFold
from support.stack import FreshSettings
from support.tables import COLUMNS, Tables, differences
from support.taken_ids import cut_first_ids, other_tables, second_id_of

SHARED_DATABASE = True
# Only the owner of the table can switch its trigger off.
CHANGED = """
ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only;
{}
;
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_is_append_only;
"""
REDACT = "UPDATE audit_log SET metadata_json = metadata_json || '{\"data\": null, \"salt\": null}' WHERE id = '%s'"
ALTER = "UPDATE audit_log SET action = 'DELETE_ORG' WHERE id = '%s'"
REMOVE = "DELETE FROM audit_log WHERE id = '%s'"
MOVED = "UPDATE audit_log SET created_at = created_at + interval '1 microsecond' WHERE id = '%s'"


async def change(pool: Pool, statement: str, place: Place) -> None:
    await pool.execute(CHANGED.format(statement % place.id))


async def assert_like_live(pool: Pool) -> None:
    for name in COLUMNS:
        past = f"{DEFAULT_SCHEMA}.{name.replace('.', '_')}"
        for one, other in ((name, past), (past, name)):
            assert await pool.fetchval(f"SELECT count(*) FROM (TABLE {one} EXCEPT ALL TABLE {other}) AS d") == 0, one


def folded(tables: Tables) -> Tables:
    return {**{name: tables[name] for name in FOLDED}, "audit_log": {}}


# audit_log has no column for an unknown member, so the hash of such an entry can only be checked in the topic.
@pytest.mark.parametrize("poison", [each for each in POISONS if each is not an_unknown_member_with_a_huge_name])
async def test_an_org_in_quarantine_is_replayed_without_the_entries_that_are_not_applied(
    settings: Settings, pool: Pool, poison: Poisoning
) -> None:
    log = founded()
    place = poison(log)
    for number, org_id in enumerate((ORG, OTHER_ORG), start=1):
        log.add(org_id, ANN, facts.OrgRenamed(name="later"))
        log.add(org_id, ANN, facts.ProjectCreated(name="later", project_id=project(number)))
    await post(pool, log)
    assert await quarantine(pool) == [(ORG, place.position, 1)]
    entries = entries_of(log, 0)
    for position in (place.position - 1, place.position, place.position + 2, len(entries) - 1):
        found = await replay(settings, f"0.{position}")
        second = SecondFold({ORG: place.position}).take(entries[: position + 1])
        past = await replayed_tables(settings)
        assert len(past["audit_log"]) == position + 1
        wrong = differences(folded(second.tables), folded(past))
        assert not wrong, (position, wrong)
        assert found.notes == ()
    await assert_like_live(pool)


async def test_entries_with_the_same_first_id_get_the_ids_of_their_live_rows(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_first_ids(monkeypatch)
    log = busy()
    assert await post(pool, log) == []
    entries = entries_of(log, 0)
    assert len({entry["id"] for entry in entries}) < len(entries) // 2
    await replay(settings, f"0.{len(entries) - 1}")
    await assert_like_live(pool)


async def test_without_live_rows_the_earliest_of_several_entries_with_one_id_keeps_it(
    fresh_settings: FreshSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_first_ids(monkeypatch)
    settings, log = fresh_settings(partitions=1), busy()
    await publish(settings, log)
    async with database(settings) as pool:
        assert await post(pool, log) == []
        await pool.execute(CHANGED.format("TRUNCATE audit_log"))
        entries = entries_of(log, 0)
        await replay(settings, f"0.{len(entries) - 1}", log="topic")
        first = {entry["id"]: entry for entry in reversed(entries)}
        ids = [entry["id"] if first[entry["id"]] is entry else second_id_of(entry) for entry in entries]
        past = await replayed_tables(settings)
        found = {key[0]: values[-2]["position"] for key, values in past["audit_log"].items()}
        assert found == {id_: position for position, id_ in enumerate(ids)}
        live = await other_tables(pool)
        del live[ACTIVITY]  # a replay has no activities
        assert not differences(live, {**past, "audit_log": {}})


async def a_refusal_and_a_renaming(settings: Settings, pool: Pool) -> tuple[Logbook, Place, Place]:
    log = founded()
    refused = log.refuse(ORG, BOB, "RENAME_ORG", ORG, {})
    renamed = log.add(ORG, ANN, facts.OrgRenamed(name="b"))[0]
    log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="c"))
    assert await post(pool, log) == []
    return log, refused, renamed


async def test_a_redacted_success_can_be_replayed_only_from_the_topic(
    fresh_settings: FreshSettings,
) -> None:
    settings = fresh_settings(partitions=1)
    async with database(settings) as pool:
        log, refused, renamed = await a_refusal_and_a_renaming(settings, pool)
        await publish(settings, log)
        for place in (refused, renamed):
            await change(pool, REDACT, place)
        entries = entries_of(log, 0)
        at_refusal = past_tables(entries[: refused.position + 1])
        for source in LOGS:
            await replay(settings, refused.text, log=source)
            assert not differences(folded(at_refusal), folded(await replayed_tables(settings)))
        for org_id in (None, ORG):
            with pytest.raises(Redacted, match=rf"^entry {renamed.text} is redacted in audit_log.*--from topic"):
                await replay(settings, f"0.{len(entries) - 1}", org_id=org_id)
        await replay(settings, f"0.{len(entries) - 1}", log="topic")
        assert not differences(past_tables(entries), await replayed_tables(settings))
        name = read_row_name("orgs", [ORG])
        assert (await explain_row(settings, name, None, "audit_log", silent)).history.redacted == [renamed.text]
        from_topic = await explain_row(settings, name, None, "topic", silent)
        assert from_topic.history.steps[-1].place == renamed.text


@pytest.mark.parametrize(
    ("statement", "org_id", "later"),
    [(ALTER, None, 0), (ALTER, ORG, 0), (MOVED, None, 0), (MOVED, ORG, 0), (REMOVE, None, 1)],
    ids=["altered", "altered, one org", "moved in time", "moved in time, one org", "removed"],
)
async def test_an_altered_or_missing_entry_of_audit_log_is_refused_and_named(
    settings: Settings, pool: Pool, statement: str, org_id: str | None, later: int
) -> None:
    """If an entry is missing, the next one is named: `later` is 1."""
    log, _, renamed = await a_refusal_and_a_renaming(settings, pool)
    await change(pool, statement, renamed)
    await replay(settings, f"0.{renamed.position - 1}", org_id=org_id)
    named = rf"entry 0\.{renamed.position + later} of audit_log is not what was logged"
    with pytest.raises(LogBroken, match=rf"{named}.*daybook audit verify"):
        await replay(settings, f"0.{log.heads[0].position}", org_id=org_id)


async def test_a_replay_of_one_org_from_audit_log_does_not_notice_a_missing_entry(
    settings: Settings, pool: Pool
) -> None:
    log, _, renamed = await a_refusal_and_a_renaming(settings, pool)
    await change(pool, REMOVE, renamed)
    await replay(settings, f"0.{log.heads[0].position}", org_id=ORG)
    own = [entry for entry in entries_of(log, 0) if entry["org_id"] == ORG]
    kept = [entry for entry in own if entry["metadata_json"]["position"] != renamed.position]
    assert len(kept) == len(own) - 1
    assert not differences(past_tables(kept, ORG), await replayed_tables(settings))


async def test_a_topic_that_ends_early_is_refused(settings: Settings, pool: Pool) -> None:
    log, _, _ = await a_refusal_and_a_renaming(settings, pool)
    with pytest.raises(LogBroken, match=rf"ends at position -1, before {log.heads[0].position}: run"):
        await replay(settings, f"0.{log.heads[0].position}", log="topic")


async def test_users_of_an_identity_provider_are_replayed_if_an_entry_names_them(fresh_settings: FreshSettings) -> None:
    settings = fresh_settings(init=False, partitions=1, users="external")
    async with connect(settings, "test") as connection:
        await connection.execute("CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, email text)")
        await connection.execute("INSERT INTO auth.users VALUES ($1), ($2), (gen_random_uuid())", ANN, BOB)
    await migrate(settings)
    log = founded()
    log.add(OTHER_ORG, ANN, facts.MemberAdded(role="viewer", user_id=BOB))
    async with database(settings) as pool:
        assert await post(pool, log, managed=False) == []
    await replay(settings, f"0.{log.heads[0].position}")
    assert (await replayed_tables(settings))["auth.users"] == {(ANN,): (None,), (BOB,): (None,)}
    await replay(settings, f"0.{log.heads[0].position}", org_id=ORG)
    assert (await replayed_tables(settings))["auth.users"] == {(ANN,): (None,)}


async def test_a_schema_that_somebody_else_makes_at_the_same_time_is_refused(settings: Settings, pool: Pool) -> None:
    async with connect(settings, "first") as first, connect(settings, "second") as second:
        transaction = first.transaction()
        await transaction.start()
        await create_schema(first, "made_twice", "the first")
        other = asyncio.create_task(create_schema(second, "made_twice", "the second"))
        await until(partial(is_lock_awaited, pool), "the second waits for the first")
        await transaction.commit()
        with pytest.raises(SchemaRefused, match="was made by somebody else meanwhile: try again"):
            await other
        await drop_schema(first, "made_twice")
