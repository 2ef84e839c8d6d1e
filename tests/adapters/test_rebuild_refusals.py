"""The sources of a rebuild, the reasons why it is refused, and its treatment of users and rights."""

import pytest

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.log.topic import LogBroken
from daybook_projector.rebuild.differences import Difference
from daybook_projector.rebuild.refusal import RebuildRefused
from support.granted import granted
from support.healing import post_rest
from support.logbook import user
from support.poison import ANN, ORG, OTHER_ORG
from support.projecting import check_fold, database, post, publish, tables
from support.rebuilding import (
    DAMAGE_TO_TWO_ORGS,
    DAMAGES,
    EMPTIED,
    LEFT_OVER,
    compare,
    full,
    hurt,
    rebuild,
    run_rebuild,
)
from support.sql import run
from support.stack import FreshSettings

CHANGE_LOG = """
ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only;
{}
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_is_append_only;
"""
WITHOUT_PREV = "jsonb_set(metadata_json, '{prev}', to_jsonb(repeat('0', 64)))"
REDACT = 'UPDATE audit_log SET metadata_json = metadata_json || \'{"data": null, "salt": null}\' WHERE action = '


async def test_redacted_entries_are_read_from_the_topic(settings: Settings, pool: Pool) -> None:
    log = full()
    await publish(settings, log)
    await post(pool, log)
    await pool.execute(CHANGE_LOG.format(f"{REDACT}'RENAME_ORG' AND result = 'failure';"))
    await hurt(pool, DAMAGE_TO_TWO_ORGS[1])
    assert (await compare(settings, "audit_log")).differences == (Difference("public.orgs", other=1),)
    await pool.execute(CHANGE_LOG.format(f"{REDACT}'RENAME_ORG';"))
    refusal = r"^entry 0\.11 \(RENAME_ORG\) cannot be applied: it is redacted; nothing was changed$"
    with pytest.raises(RebuildRefused, match=refusal):
        await compare(settings, "audit_log")
    assert await rebuild(settings, "topic") == [Difference("public.orgs", other=1)]


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ("DELETE FROM audit_log WHERE action = 'DELETE_SECRET_REF'", r"^audit_log is not the log .* see entry 0\.13\."),
        ("DELETE FROM audit_log WHERE result = 'failure'", r"^audit_log is not the log .* see entry 0\.26\."),
        (
            f"UPDATE audit_log SET metadata_json = {WITHOUT_PREV} WHERE action = 'DELETE_SECRET_REF'",
            r"^audit_log is not the log .* see entry 0\.13\.",
        ),
        (
            "UPDATE audit_log SET entity_id = gen_random_uuid() WHERE action = 'DELETE_SECRET_REF'",
            r"^entry 0\.13 \(DELETE_SECRET_REF\) cannot be applied: its row differs from the logged entry",
        ),
    ],
)
async def test_an_altered_audit_log_is_refused(settings: Settings, pool: Pool, change: str, refusal: str) -> None:
    await post(pool, full())
    await pool.execute(CHANGE_LOG.format(f"{change};"))
    before = await tables(pool)
    with pytest.raises((RebuildRefused, LogBroken), match=refusal):
        await rebuild(settings)
    assert await tables(pool) == before
    assert await pool.fetchval(LEFT_OVER) == 0


async def test_a_topic_other_than_the_projected_one_is_refused(settings: Settings, pool: Pool) -> None:
    log, other = full(), full()
    await post(pool, log)
    with pytest.raises(LogBroken, match=r"^the topic is not the log that was projected: see entry 0\.0\. Run"):
        await compare(settings, "topic")
    other.records[0][-1] = b"void"
    await publish(settings, other)
    with pytest.raises(LogBroken, match=r"^the topic is not the log that was projected: see entry 0\.26\. Run"):
        await compare(settings, "topic")


async def test_an_entry_that_cannot_be_applied_is_named_unless_its_org_is_in_quarantine(
    settings: Settings, pool: Pool
) -> None:
    log = full()
    poison = log.add(ORG, ANN, facts.OrgRenamed(name="poison"), action="DANCE")[0]
    await post(pool, log)
    assert not await compare(settings)
    await pool.execute("UPDATE daybook.quarantine SET released_at = now()")
    named = rf"^entry {poison.text} \(DANCE\) cannot be applied: unknown action 'DANCE'; nothing was changed$"
    with pytest.raises(RebuildRefused, match=named):
        await compare(settings)


async def test_external_users_are_never_written(fresh_settings: FreshSettings) -> None:
    settings, log = fresh_settings(init=False, partitions=1, users="external"), full()
    url = settings.database_url.get_secret_value()
    await run(url, "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);")
    await migrate(settings)
    async with database(settings) as pool:
        await pool.executemany("INSERT INTO auth.users VALUES ($1, 'a@b')", [(user(n),) for n in (1, 2, 3, 9)])
        assert await post(pool, log, managed=False) == []
        users = await pool.fetch("SELECT * FROM auth.users ORDER BY id")
        await hurt(pool, *DAMAGES[:9])
        assert {each.table for each in await rebuild(settings)} == {
            "public.orgs",
            "public.org_members",
            "public.projects",
        }
        assert not await compare(settings)
        assert await pool.fetch("SELECT * FROM auth.users ORDER BY id") == users


async def test_a_user_who_is_not_in_the_log_stays_while_referred_to(settings: Settings, pool: Pool) -> None:
    log = full()
    log.add(ORG, ANN, facts.MemberAdded(role="viewer", user_id=user(9)))
    await pool.execute("INSERT INTO auth.users VALUES ($1, now())", user(9))
    assert await post(pool, log) == []
    assert not await compare(settings)
    log.add(ORG, ANN, facts.MemberRemoved(project_ids=(), user_id=user(9)))
    await post_rest(pool, log)
    assert await rebuild(settings) == [Difference("auth.users", surplus=1)]


async def test_the_projectors_role_can_rebuild_an_org_but_lacks_a_right_to_rebuild_all(
    settings: Settings, pool: Pool
) -> None:
    log = full()
    await post(pool, log)
    await hurt(pool, *DAMAGE_TO_TWO_ORGS)
    async with granted(settings) as roles:
        own = settings.model_copy(update={"database_url": roles.url("projector")})
        refused = await run_rebuild(own, "--from", "audit_log", "--yes")
        assert (refused.code, refused.stdout) == (2, "")
        assert "permission denied for database" in refused.stderr
        assert (await run_rebuild(own, "--org", ORG, "--yes")).code == 0
        assert (await run_rebuild(own, "--org", OTHER_ORG, "--yes")).code == 0
        name = await pool.fetchval("SELECT current_database()")
        await roles.owner.execute(f"GRANT CREATE ON DATABASE {name} TO {roles.role('projector')}")
        await hurt(pool, EMPTIED)
        assert (await run_rebuild(own, "--from", "audit_log", "--yes")).code == 0
    await check_fold(pool, log)
