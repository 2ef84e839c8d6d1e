"""Changes that `daybook audit verify` does not find, as docs/auditing.md lists them, and how some of them are found."""

import asyncio
from pathlib import Path

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import free_json
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.reports.certificate import CertificateFile, certificate_bytes, certify, read_certificate
from daybook_projector.audit.reports.compare import compare
from daybook_projector.audit.verify.export import verify_export
from daybook_projector.audit.verify.report import Verified
from daybook_projector.audit.verify.run import Request, verify
from support.auditing import silent, unguarded
from support.driving import open_database
from support.exports import Export, export_of
from support.logbook import Logbook, thing
from support.poison import ANN, ORG, OTHER_ORG, busy
from support.projecting import database, post, projecting, publish, until_projected
from support.stack import FreshSettings

COUNTED = facts.DlqEventRecorded(connection_id=thing(1), dlq_event_id=thing(4), payload=free_json({"n": 1}))
NOT_FOUND = {
    "a number written 1.0 in a row": """
        UPDATE dlq_events SET payload_json = '{"n": 1.0}' WHERE payload_json = '{"n": 1}'
    """,
    "a number written 1.0 in audit_log": """
        UPDATE audit_log SET metadata_json = jsonb_set(metadata_json, '{data,payload,n}', '1.0')
         WHERE metadata_json->'data'->'payload' = '{"n": 1}'
    """,
    "a reserved id": "INSERT INTO daybook.reserved_ids (id, org_id) SELECT gen_random_uuid(), id FROM orgs LIMIT 1",
    "a forgotten pin": "INSERT INTO daybook.known_users SELECT id FROM auth.users LIMIT 1",
    "the time of a checkpoint": "UPDATE daybook.checkpoints SET updated_at = '2001-01-01'",
    "a trigger switched off": "ALTER TABLE audit_log DISABLE TRIGGER USER",
    "another table": "CREATE TABLE more AS TABLE orgs",
}
"""SQL statements by the name of the change. The changes are not undone."""


@pytest.fixture(scope="module")
def settings(lasting_settings: FreshSettings) -> Settings:
    return lasting_settings(partitions=1)


@pytest.fixture(scope="module")
def log(settings: Settings) -> Logbook:
    log = busy()
    log.add(ORG, ANN, COUNTED)
    asyncio.run(write(settings, log))
    return log


async def write(settings: Settings, log: Logbook) -> None:
    await publish(settings, log)
    async with database(settings) as pool:
        assert await post(pool, log) == []


async def verified(settings: Settings, **request: object) -> Verified:
    return await verify(settings, Request(**request), silent)  # type: ignore[arg-type]


def certified(found: Verified) -> CertificateFile:
    made = certify(found, made_at="2026-01-01T00:00:00.000000Z", daybook="1", since=None)
    return read_certificate(certificate_bytes(made), "it")


@pytest.mark.parametrize("what", NOT_FOUND)
async def test_a_change_that_verify_does_not_find_leaves_the_result_valid(
    settings: Settings, log: Logbook, what: str
) -> None:
    before = certified(await verified(settings))
    async with open_database(settings) as owner:
        (tag,) = await unguarded(owner, NOT_FOUND[what])
    assert not tag.endswith(" 0"), tag
    after = await verified(settings)
    assert after.findings == ()
    assert certified(after).sha256 == before.sha256


async def test_entries_before_a_certificate_are_not_read_again(settings: Settings, log: Logbook) -> None:
    earlier = certified(await verified(settings))
    altered = (
        f"UPDATE audit_log SET action = reverse(action) WHERE entity_id = '{OTHER_ORG}'",
        f"UPDATE orgs SET name = reverse(name) WHERE id = '{ORG}'",
    )
    async with open_database(settings) as owner:
        await unguarded(owner, *altered)
        assert (await verified(settings, starts=earlier.starts())).findings == ()
        assert [(each.check, each.place) for each in (await verified(settings)).findings] == [
            ("hash", "audit_log"),
            ("row", "tables"),
        ]
        await unguarded(owner, *altered)


async def test_forged_records_that_obey_every_rule_are_valid(settings: Settings, log: Logbook) -> None:
    earlier = certified(await verified(settings))
    log.void(0)
    await publish(settings, log)
    unprojected = certified(await verified(settings))
    assert unprojected.sha256 == earlier.sha256
    log.add(OTHER_ORG, ANN, facts.OrgRenamed(name="forged"))
    await publish(settings, log)
    async with database(settings) as pool, projecting(settings):
        await until_projected(pool, log)
    found = await verified(settings)
    assert found.findings == ()
    changes = compare(earlier, certified(found)).changes
    assert changes[:2] == (
        f"partition 0: 1 more entry, to position {log.heads[0].position}",
        "partition 0: voids 0, then 1",
    )


async def test_only_an_earlier_certificate_shows_that_an_export_was_cut_at_its_end(
    settings: Settings, log: Logbook, tmp_path: Path
) -> None:
    starts = certified(await verified(settings)).starts()
    entries = [value + b"\n" for value in log.records[0] if value and value.startswith(b"{")]
    Export("", export_of({0: entries[:-1]})).write(tmp_path)
    assert (await verify_export(tmp_path, silent)).findings == ()
    (finding,) = (await verify_export(tmp_path, silent, starts)).findings
    assert (finding.check, finding.position) == ("missing", len(entries) - 1)
