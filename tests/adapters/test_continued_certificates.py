"""`daybook audit verify --since` when the topic no longer has the certified entry at the certified offset, or when the
certificate was made without the topic. Also: the first entry after the certified one must be later.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.log.head import Head
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.reports.certificate import certificate_bytes, certify, read_certificate
from daybook_projector.audit.verify.report import Start, Verified
from daybook_projector.audit.verify.run import Request, verify
from support.auditing import silent
from support.logbook import Logbook, log_with, org, project, user
from support.projecting import projecting, publish, until_projected
from support.shell import run_daybook

ORG, ANN = org(1), user(1)
VOIDS = 5


def a_log() -> Logbook:
    log = log_with(ORG)
    for number in range(VOIDS):
        log.void(0)
        log.add(ORG, ANN, facts.ProjectCreated(name=f"p{number}", project_id=project(number)))
    return log


async def project_all(settings: Settings, pool: Pool, log: Logbook) -> None:
    await publish(settings, log)
    async with projecting(settings):
        await until_projected(pool, log)


async def verified(settings: Settings, *scopes: str, starts: dict[int, Start] | None = None) -> Verified:
    return await verify(settings, Request(frozenset(scopes) or None, starts), silent)


def starts_after(found: Verified) -> dict[int, Start]:
    certificate = certify(found, made_at="2026-01-01T00:00:00.000000Z", daybook="1", since=None)
    return read_certificate(certificate_bytes(certificate), "it").starts()


async def restore_topic(settings: Settings, log: Logbook) -> None:
    """Deletes the topic and restores it, which drops its void records. Drops them from `log` too."""
    async with admin(settings) as client:
        await client.delete_topics([Topics(settings.topic_prefix).audit_log])
    restored = await run_daybook(settings, "audit", "restore-topic", "--lose-unprojected", "--yes")
    assert restored.code == 0, restored
    log.records = [[value for value in each if value != b"garbage"] for each in log.records]
    log.published = [len(each) for each in log.records]


async def test_a_certificate_from_before_the_topic_was_restored_is_continued(settings: Settings, pool: Pool) -> None:
    log = a_log()
    await project_all(settings, pool, log)
    before = await verified(settings)
    assert before.partitions[0].voids == VOIDS
    await restore_topic(settings, log)
    for _ in range(VOIDS + 1):  # so that times rise: `log` computes them from its number of records, which has fallen
        log.void(0)
    log.add(ORG, ANN, facts.OrgRenamed(name="later"))
    await project_all(settings, pool, log)
    whole = await verified(settings)
    assert (whole.findings, whole.partitions[0].voids) == ((), VOIDS + 1)
    for scopes in ((), ("topic",)):
        continued = await verified(settings, *scopes, starts=starts_after(before))
        assert (continued.findings, continued.partitions) == ((), whole.partitions)


@pytest.mark.parametrize("make", [a_log, Logbook], ids=["a log", "an empty log"])
async def test_a_certificate_that_was_made_without_the_topic_is_continued(
    settings: Settings, pool: Pool, make: Callable[[], Logbook]
) -> None:
    log = make()
    await project_all(settings, pool, log)
    starts = starts_after(await verified(settings, "audit_log"))
    log.void(0)
    log.register(user(2))
    await project_all(settings, pool, log)
    continued, whole = await verified(settings, starts=starts), await verified(settings)
    assert (continued.findings, continued.partitions) == ((), whole.partitions)
    assert whole.partitions[0].voids == sum(value == b"garbage" for value in log.records[0])


async def test_a_certificate_of_another_log_that_was_made_without_the_topic_is_refused(
    settings: Settings, pool: Pool
) -> None:
    await project_all(settings, pool, a_log())
    found = await verified(settings, "audit_log")
    partition = found.partitions[0]
    other = replace(found, partitions=(replace(partition, head=Head(partition.head.position, "0" * 64)),))
    first = (await verified(settings, starts=starts_after(other))).findings[0]
    assert (first.check, first.place, first.position) == ("hash", "topic", partition.head.position)


@pytest.mark.parametrize("scopes", [(), ("topic",), ("audit_log",)], ids=["both", "topic", "audit_log"])
@pytest.mark.parametrize(("created_at", "is_later"), [("2026-01-01T00:00:00.000000Z", False), (None, True)])
async def test_the_first_entry_after_a_certificate_must_be_later_than_the_certified_one(
    settings: Settings, pool: Pool, scopes: tuple[str, ...], created_at: str | None, *, is_later: bool
) -> None:
    log = a_log()
    await project_all(settings, pool, log)
    starts = starts_after(await verified(settings, *scopes))
    changes = {} if created_at is None else {"created_at": created_at}
    place = log.add(ORG, ANN, facts.OrgRenamed(name="next"), **changes)[0]
    log.add(ORG, ANN, facts.OrgRenamed(name="last"))
    await project_all(settings, pool, log)
    continued, whole = await verified(settings, *scopes, starts=starts), await verified(settings, *scopes)
    assert (continued.findings, continued.partitions) == (whole.findings, whole.partitions)
    found = [(each.check, each.position) for each in continued.findings]
    assert found == ([] if is_later else [("created_at", place.position)])
