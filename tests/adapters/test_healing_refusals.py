"""When healing is refused: for example because rows of `audit_log` were altered or are missing, or because an org's
entries are in several partitions, so that their positions give no order. Also what the subcommand prints.
"""

import pytest

from daybook_contracts.entries import facts
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.rebuild.refusal import RebuildRefused
from support.healing import heal, older_than, run_heal
from support.logbook import Logbook, log_with, org, org_in, project, thing, user_in
from support.poison import ANN, BOB, ORG, OTHER_ORG, busy, connect, founded
from support.projecting import database, post, quarantine, tables
from support.shell import Completed
from support.stack import FreshSettings
from support.taken_ids import plant

WITHOUT_TRIGGER = """
ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only;
{}
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_is_append_only;
"""
SECOND_ID = f"id = daybook.hashed_id(2, '{ORG}', (metadata_json->>'command_id')::uuid, 0, 'org', NULL)"
UPDATE_RENAMING = "UPDATE audit_log SET {} WHERE action = 'RENAME_ORG';"


async def assert_refused(settings: Settings, pool: Pool, reason: str, org_id: str = ORG) -> None:
    before = await tables(pool), await quarantine(pool)
    with pytest.raises(RebuildRefused, match=reason):
        await heal(settings, org_id)
    assert (await tables(pool), await quarantine(pool)) == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("created_at = created_at + interval '1 second'", "its row differs from the logged entry"),
        ("entity_id = gen_random_uuid()", "its row differs from the logged entry"),
        (
            "metadata_json = jsonb_set(metadata_json, '{principal}', '\"service:x\"')",
            "its row differs from the logged entry",
        ),
        ("metadata_json = jsonb_set(metadata_json, '{data,name}', '\"x\"')", "the commit does not fit the data"),
        ('metadata_json = metadata_json || \'{"data": null, "salt": null}\'', "it is redacted"),
        ("metadata_json = metadata_json || '{\"v\": 1e400}'", "its row cannot come from a record of the log"),
        ("metadata_json = metadata_json || '{\"v\": 7}'", "unknown version 7"),
        ("id = gen_random_uuid()", "the id is not the entry's first id"),
        (SECOND_ID, "its row has the entry's second id, although no other row has the first"),
    ],
)
async def test_a_row_of_audit_log_that_differs_from_the_log_is_named(
    settings: Settings, pool: Pool, change: str, reason: str
) -> None:
    await post(pool, busy(), kind=older_than(facts.OrgRenamed))
    await pool.execute(WITHOUT_TRIGGER.format(UPDATE_RENAMING.format(change)))
    await assert_refused(settings, pool, rf"^entry 0\.11 .*cannot be applied: {reason}")


async def test_an_altered_row_is_named_even_if_another_row_has_its_first_id(settings: Settings, pool: Pool) -> None:
    log = founded()
    place = log.add(ORG, ANN, facts.OrgRenamed(name="b"))[0]
    await plant(pool, place.id)
    await post(pool, log, kind=older_than(facts.OrgRenamed))
    await pool.execute(WITHOUT_TRIGGER.format(UPDATE_RENAMING.format("created_at = created_at + interval '1 second'")))
    await assert_refused(settings, pool, r"^entry 0\.4 .*cannot be applied: its row differs from the logged entry")


async def test_a_redacted_failure_does_not_prevent_healing(settings: Settings, pool: Pool) -> None:
    log = busy()
    log.refuse(ORG, BOB, "RENAME_ORG", ORG, {"name": "secret"})
    await post(pool, log, kind=older_than(facts.OrgRenamed))
    redact = 'UPDATE audit_log SET metadata_json = metadata_json || \'{"data": null, "salt": null}\' '
    await pool.execute(WITHOUT_TRIGGER.format(redact + "WHERE result = 'failure';"))
    assert (await heal(settings, ORG)).released


async def test_a_row_without_a_position_is_an_error(settings: Settings, pool: Pool) -> None:
    await post(pool, busy(), kind=older_than(facts.OrgRenamed))
    await pool.execute(WITHOUT_TRIGGER.format(UPDATE_RENAMING.format("metadata_json = metadata_json - 'position'")))
    await assert_refused(settings, pool, r"^\d+ rows of audit_log have no position")


async def test_a_missing_row_of_audit_log_is_an_error_where_it_is_needed(settings: Settings, pool: Pool) -> None:
    await post(pool, busy(), kind=older_than(facts.OrgRenamed))
    await pool.execute(WITHOUT_TRIGGER.format("DELETE FROM audit_log WHERE action = 'CREATE_SECRET_REF';"))
    await assert_refused(
        settings,
        pool,
        r"^entry 0\.13 \(DELETE_SECRET_REF\) cannot be applied: the row of public.secret_refs that the entry needs is ",
    )


async def test_entries_of_two_partitions_have_no_order(fresh_settings: FreshSettings) -> None:
    settings, ann, org_id = fresh_settings(partitions=2), user_in(0, 2), org_in(0, 2)
    log = log_with(org_id, users=[ann], partitions=2)
    log.add(org_id, ann, facts.OrgRenamed(name="a"), partition=1)
    async with database(settings) as pool:
        await post(pool, log)
        await assert_refused(settings, pool, r"are in more than one partition: 0\.1 and 1\.0;", org_id)


async def test_entries_in_a_foreign_partition_are_refused(fresh_settings: FreshSettings) -> None:
    settings, log, ann, org_id = fresh_settings(partitions=2), Logbook(2), user_in(0, 2), org_in(0, 2)
    log.register(ann)
    log.add(org_id, ann, facts.OrgCreated(name="a"), partition=1)
    async with database(settings) as pool:
        await post(pool, log)
        await assert_refused(
            settings, pool, r"entry 1\.0 \(CREATE_ORG\) .* is in partition 1, but .* to partition 0 of 2;", org_id
        )


async def test_a_row_whose_id_belongs_to_another_org_is_an_error(settings: Settings, pool: Pool) -> None:
    log = founded()
    log.add(OTHER_ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(1), key_name="a", secret_id_ref="env:A"))
    log.add(ORG, ANN, facts.SecretRefCreated(secret_ref_id=thing(1), key_name="a", secret_id_ref="env:A"))
    await post(pool, log, limit=1)
    await assert_refused(
        settings, pool, "rows of public.secret_refs cannot be written: UniqueViolationError secret_refs_pkey"
    )


async def test_an_entry_with_a_project_of_another_org_is_refused(settings: Settings, pool: Pool) -> None:
    log = founded()
    connect(log)
    log.add(OTHER_ORG, ANN, facts.ProjectCreated(name="its", project_id=project(8)))
    foreign = facts.ProjectMemberAdded(project_id=project(8), role="admin", user_id=BOB)
    place = log.add(ORG, ANN, foreign)[0]
    await post(pool, log)
    with pytest.raises(
        RebuildRefused, match=rf"^entry {place.text} .* has a project_id that is not in public.projects"
    ):
        await heal(settings, ORG, apply=False)


async def test_the_subcommand_prints_the_differences_until_none_is_left(settings: Settings, pool: Pool) -> None:
    log = busy()
    await post(pool, log, kind=older_than(facts.OrgRenamed))
    checked = await run_heal(settings, ORG, "--check")
    first, second = await run_heal(settings, ORG.upper()), await run_heal(settings, ORG)
    expected = "public.orgs: 0 missing, 1 different, 0 surplus\npublic.org_members: 1 missing, 0 different, 0 surplus\n"
    assert (checked.code, checked.stderr) == (1, "")
    assert checked.stdout.startswith(expected)
    entries = len(log.records[0]) - 3
    assert first == Completed(0, f"{checked.stdout}org {ORG} is released\n", "")
    assert checked.stdout.endswith(f"\n{entries} entries read; tables that differed: 10\n")
    assert second == Completed(0, f"org {ORG} is not in quarantine\n", "")
    unchanged = Completed(0, f"{entries} entries read; tables that differed: 0\n", "")
    assert await run_heal(settings, ORG, "--check") == unchanged


async def test_the_subcommand_prints_each_refusal_on_one_line(settings: Settings, pool: Pool) -> None:
    log = founded()
    log.add(ORG, ANN, facts.OrgRenamed(name="poison"), action="DANCE")
    await post(pool, log)
    expected = "Error: entry 0.4 (DANCE) cannot be applied: unknown action 'DANCE'; nothing was changed\n"
    assert await run_heal(settings, ORG) == Completed(2, "", expected)
    assert await run_heal(settings, org(9)) == Completed(0, f"org {org(9)} is not in quarantine\n", "")
    unknown = await run_heal(settings, org(9), "--check")
    assert unknown == Completed(2, "", f"Error: org {org(9)} has no entries in audit_log; nothing was changed\n")
    assert (await run_heal(settings, "acme")).code == 2
