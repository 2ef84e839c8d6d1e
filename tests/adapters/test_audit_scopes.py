"""`daybook audit verify` with some of the sources, for one org, after a certificate, and on damaged topics."""

from dataclasses import replace

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.log.head import Head
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.reports.certificate import CertificateFile, certificate_bytes, certify, read_certificate
from daybook_projector.audit.reports.compare import compare
from daybook_projector.audit.verify.report import Verified
from daybook_projector.audit.verify.run import Request, verify
from support.auditing import silent, unguarded
from support.logbook import Logbook, log_with, org, project, user
from support.projecting import projecting, publish, recreate_log, until_projected

ORG, OTHER, ANN = org(1), org(2), user(1)


def a_log() -> Logbook:
    log = log_with(ORG, OTHER)
    for number in range(1, 11):
        log.add(ORG, ANN, facts.ProjectCreated(name=f"p{number}", project_id=project(number)))
        log.add(OTHER, ANN, facts.ProjectCreated(name=f"q{number}", project_id=project(100 + number)))
        log.void(0)
    log.refuse(ORG, ANN, "RENAME_PROJECT", project(99), {"project_id": project(99)})
    return log


@pytest.fixture
async def log(settings: Settings, pool: Pool) -> Logbook:
    log = a_log()
    await project_all(settings, pool, log)
    return log


async def project_all(settings: Settings, pool: Pool, log: Logbook) -> None:
    await publish(settings, log)
    async with projecting(settings):
        await until_projected(pool, log)


async def verified(settings: Settings, *scopes: str, **request: object) -> Verified:
    return await verify(settings, Request(frozenset(scopes) or None, **request), silent)  # type: ignore[arg-type]


def certificate_of(found: Verified, since: str | None = None, made_at: str = "2026-01-01T00:00:00.000000Z") -> bytes:
    return certificate_bytes(certify(found, made_at=made_at, daybook="1", since=since))


def read(certificate: bytes) -> CertificateFile:
    return read_certificate(certificate, "it")


def first(found: Verified) -> tuple[str, str, object]:
    return found.findings[0].check, found.findings[0].place, found.findings[0].position


async def test_each_log_alone_gives_the_same_heads_and_digests(settings: Settings, log: Logbook) -> None:
    whole = await verified(settings)
    for scope in ("topic", "audit_log"):
        alone = await verified(settings, scope)
        assert alone.findings == ()
        assert alone.scope == (scope,)
        assert (alone.partitions[0].head, alone.partitions[0].digest) == (log.heads[0], whole.partitions[0].digest)
    assert whole.partitions[0].voids == 10
    assert [(table.name, table.rows) for table in whole.tables if table.rows] == [
        ("audit_log", 24),
        ("auth.users", 1),
        ("org_members", 2),
        ("orgs", 2),
        ("projects", 20),
    ]


async def test_the_same_state_gives_the_same_certificate(settings: Settings, pool: Pool, log: Logbook) -> None:
    before = certificate_of(await verified(settings))
    assert certificate_of(await verified(settings)) == before
    await empty(pool)
    async with projecting(settings):
        await until_projected(pool, log)
    assert certificate_of(await verified(settings)) == before


async def empty(pool: Pool) -> None:
    """Empties the tables, as if PostgreSQL had been lost and set up again."""
    async with pool.acquire() as connection:
        await unguarded(
            connection,
            "TRUNCATE auth.users, orgs, audit_log, daybook.checkpoints, daybook.quarantine, daybook.reserved_ids"
            " CASCADE",
        )


async def test_later_entries_continue_a_certificate(settings: Settings, pool: Pool, log: Logbook) -> None:
    earlier = read(certificate_of(await verified(settings)))
    log.add(ORG, ANN, facts.OrgRenamed(name="later"))
    await project_all(settings, pool, log)
    later = await verified(settings, starts=earlier.starts())
    whole = await verified(settings)
    assert later.findings == ()
    assert later.scope == ("topic", "audit_log")
    assert later.partitions == whole.partitions
    continued = read(certificate_of(later, earlier.sha256))
    compared = compare(earlier, continued)
    assert compared.contradictions == ()
    assert compared.changes[:2] == (
        "the second certificate was verified as the continuation of the first",
        "partition 0: 1 more entry, to position 24",
    )


async def test_a_certificate_of_another_log_is_not_continued(settings: Settings, log: Logbook) -> None:
    found = await verified(settings)
    partition = found.partitions[0]
    other = replace(found, partitions=(replace(partition, head=Head(partition.head.position, "0" * 64)),))
    forged = read(certificate_of(other))
    assert first(await verified(settings, starts=forged.starts())) == ("hash", "topic", partition.head.position)
    assert compare(read(certificate_of(found)), forged).contradictions == (
        "partition 0 has another entry at position 23",
    )


async def test_tables_behind_a_certificate_are_found(settings: Settings, log: Logbook) -> None:
    found = await verified(settings)
    ahead = replace(found.partitions[0], head=Head(30, "0" * 64), offset=99)
    starts = read(certificate_of(replace(found, partitions=(ahead,)))).starts()
    assert ("missing", "audit_log", 24) in {
        (each.check, each.place, each.position) for each in (await verified(settings, starts=starts)).findings
    }


async def test_one_org_is_verified_alone(settings: Settings, pool: Pool, log: Logbook) -> None:
    async with pool.acquire() as connection:
        await unguarded(connection, f"UPDATE projects SET name = 'x' WHERE id = '{project(3)}'")
    assert (await verified(settings, org_id=OTHER)).findings == ()
    found = (await verified(settings, org_id=ORG)).findings
    assert [(each.table, each.key, each.field) for each in found] == [("projects", (project(3),), "name")]


@pytest.mark.parametrize("scopes", [(), ("audit_log",)])
async def test_an_altered_entry_of_one_org_gives_no_finding_for_another(
    settings: Settings, pool: Pool, log: Logbook, scopes: tuple[str, ...]
) -> None:
    async with pool.acquire() as connection:
        await unguarded(connection, f"UPDATE audit_log SET action = 'X' WHERE entity_id = '{project(3)}'")
    assert (await verified(settings, *scopes, org_id=OTHER)).findings == ()
    assert first(await verified(settings, *scopes, org_id=ORG))[:2] == ("hash", "audit_log")


async def test_redacted_entries_are_listed_and_leave_the_rest_valid(
    settings: Settings, pool: Pool, log: Logbook
) -> None:
    before = await verified(settings)
    redaction = """metadata_json || '{"data": null, "salt": null}'"""
    async with pool.acquire() as connection:
        await unguarded(
            connection, f"UPDATE audit_log SET metadata_json = {redaction} WHERE entity_id = '{project(3)}'"
        )
    redacted = await pool.fetchval(f"SELECT id::text FROM audit_log WHERE entity_id = '{project(3)}'")
    found = await verified(settings)
    assert (found.findings, found.partitions[0].redacted) == ((), (redacted,))
    assert found.partitions[0].digest == before.partitions[0].digest
    alone = await verified(settings, "audit_log", "tables")
    assert (alone.findings, alone.partitions[0].redacted, alone.scope) == ((), (redacted,), ("audit_log",))
    assert alone.unchecked == ("the tables: entry 0.7 is redacted",)


async def test_a_quarantined_org_gives_a_finding_at_its_poison_entry(settings: Settings, pool: Pool) -> None:
    log = a_log()
    poison = log.add(ORG, ANN, facts.MemberUpdated(role="viewer", user_id=user(9)))[0]
    log.add(ORG, ANN, facts.ProjectCreated(name="later", project_id=project(50)))
    await project_all(settings, pool, log)
    found = await verified(settings)
    assert [(each.check, each.place, each.position) for each in found.findings] == [("data", "topic", poison.position)]
    assert [(each.org_id, each.position) for each in found.quarantined] == [(ORG, poison.position)]


async def test_a_void_record_is_counted_but_is_not_a_finding(settings: Settings, pool: Pool, log: Logbook) -> None:
    log.void(0)
    log.add(ORG, ANN, facts.OrgRenamed(name="later"))
    await project_all(settings, pool, log)
    found = await verified(settings)
    assert (found.findings, found.partitions[0].voids) == ((), 11)


async def test_a_forged_entry_that_extends_the_topic_is_found(settings: Settings, pool: Pool, log: Logbook) -> None:
    forged = log.add(ORG, ANN, facts.OrgRenamed(name="forged"), id=project(1))
    await project_all(settings, pool, log)
    found = await verified(settings)
    assert first(found) == ("id", "topic", forged[0].position)


async def test_the_last_entries_of_a_topic_that_was_cut_are_missing(settings: Settings, log: Logbook) -> None:
    records = log.records[0][:-10]
    await recreate_log(settings, records)
    found = await verified(settings)
    assert first(found) == ("missing", "topic", sum(value != b"garbage" for value in records))
    assert all(each.place == "topic" for each in found.findings if each.partition == 0)


async def test_a_broken_topics_void_records_are_counted_once(settings: Settings, log: Logbook) -> None:
    records, altered = log.records[0], log.records[0][7]
    assert altered is not None
    records[7] = altered.replace(b'"success"', b'"failure"')
    await recreate_log(settings, records)
    found = await verified(settings, "topic")
    assert [each.check for each in found.findings] == ["hash"]
    assert (found.partitions[0].entries, found.partitions[0].voids) == (24, 10)


async def test_a_scope_that_is_asked_for_by_name_must_be_reachable(settings: Settings, log: Logbook) -> None:
    away = settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    with pytest.raises(DaybookError, match="the topic"):
        await verified(away, "topic")
    found = await verified(away)
    assert (found.scope, found.findings, len(found.unreached)) == (("audit_log", "tables"), (), 1)


async def test_a_number_of_partitions_that_differs_from_the_topic_is_refused(settings: Settings, log: Logbook) -> None:
    other = settings.model_copy(update={"partitions": 3})
    with pytest.raises(DaybookError, match="has 1 partitions, and DAYBOOK_PARTITIONS is 3"):
        await verified(other)
