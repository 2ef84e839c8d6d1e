"""`daybook audit restore-topic` on real servers: it writes a lost topic again, byte for byte, or refuses."""

import signal
from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord
from aiokafka.admin import NewTopic

from daybook_contracts.entries import facts
from daybook_contracts.limits import LOG_BATCH_BYTES
from daybook_contracts.log.head import Checkpoint
from daybook_contracts.topics import Topics, entry_headers
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.kafka.topics import ensure_topics, verify_topics
from daybook_infra.runtime.postgres.checkpoints import load_checkpoints
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.verify.run import Request, verify
from support.auditing import silent, unguarded
from support.chain import Json
from support.forging import append
from support.logbook import Logbook, log_with, org_in, project, user, user_in
from support.projecting import entries_of, projecting, publish, tables, until, until_projected, wait_for
from support.shell import Completed, run_daybook
from support.taken_ids import plant, second_ids
from support.topics import records_of

PARTITIONS = 2
SETTINGS = {"partitions": PARTITIONS}
HERE, THERE = 0, 1
ANN, BOB = user_in(HERE, PARTITIONS), user_in(THERE, PARTITIONS)
ORG, OTHER = org_in(HERE, PARTITIONS), org_in(THERE, PARTITIONS)
LOSE = ("--lose-unprojected", "--yes")
DONE = "restored: start the services, then run `daybook audit verify`\n"
ENTRIES_OF_COMMAND, ENTRY_BYTES = 3, 60_000
BIG_COMMANDS = 8


def a_log() -> Logbook:
    """A log with void records, and with commands so large that a batch holds only two of them."""
    log = log_with(ORG, OTHER, users=(ANN, BOB), partitions=PARTITIONS)
    for number in range(BIG_COMMANDS):
        log.void(HERE)
        names = [f"{number}{letter}".ljust(ENTRY_BYTES, letter) for letter in "abc"]
        log.add(ORG, ANN, *(facts.OrgRenamed(name=name) for name in names))
    log.add(ORG, ANN, facts.OrgRenamed(name="b"))
    log.add(OTHER, BOB, facts.ProjectCreated(name="p", project_id=project(1)))
    log.refuse_outsider(OTHER, None, "RENAME_ORG", OTHER, {"actor_user_id": user(99)})
    return log


@pytest.fixture
async def log(settings: Settings, pool: Pool) -> Logbook:
    """`a_log`, published and projected."""
    log = a_log()
    await publish(settings, log)
    async with projecting(settings):
        await until_projected(pool, log)
    return log


async def lose_topic(settings: Settings) -> None:
    async with admin(settings) as client:
        await client.delete_topics([Topics(settings.topic_prefix).audit_log])


async def restore(settings: Settings, *options: str, dies_at: str = "") -> Completed:
    return await run_daybook(settings, "audit", "restore-topic", *options, DAYBOOK_FAILPOINT=dies_at)


async def records(settings: Settings) -> list[list[ConsumerRecord[bytes, bytes]]]:
    found = await records_of(settings, "audit_log")
    return [[record for record in found if record.partition == number] for number in range(PARTITIONS)]


async def values(settings: Settings) -> list[list[bytes | None]]:
    return [[record.value for record in found] for found in await records(settings)]


def admitted(log: Logbook) -> list[list[bytes | None]]:
    return [[value for value in found if value != b"garbage"] for found in log.records]


def count(found: Sequence[Sequence[object]]) -> int:
    return sum(map(len, found))


async def is_missing(settings: Settings) -> bool:
    async with admin(settings) as client:
        return Topics(settings.topic_prefix).audit_log not in await client.list_topics()


async def check_restored(settings: Settings, pool: Pool, log: Logbook) -> None:
    """Asserts that the topic has exactly the admitted entries, each at the offset that equals its position, that the
    checkpoints fit, and that `verify` finds nothing.
    """
    found = await records(settings)
    assert [[record.value for record in each] for each in found] == admitted(log)
    for partition, each in enumerate(found):
        assert [record.offset for record in each] == list(range(len(each)))
        assert [(record.key, list(record.headers)) for record in each] == list(map(framed, entries_of(log, partition)))
    ends = [(head.position + 1, head, head.position) for head in log.heads]
    assert await load_checkpoints(pool) == {number: Checkpoint(*end) for number, end in enumerate(ends)}
    await verify_topics(settings)
    assert (await verify(settings, Request(), silent)).findings == ()


def framed(entry: Json) -> tuple[bytes, list[tuple[str, bytes]]]:
    key = entry["metadata_json"]["key"]
    return key.encode(), entry_headers(entry["id"], key, entry["created_at"])


async def test_a_lost_topic_is_written_again_and_projection_continues(
    settings: Settings, pool: Pool, log: Logbook
) -> None:
    await lose_topic(settings)
    done = await restore(settings, *LOSE)
    assert (done.code, done.stderr, done.stdout.endswith(DONE)) == (0, "", True), done
    assert f"entries: {count(admitted(log))} written" in done.stdout
    assert f"checkpoints: {PARTITIONS - 1} set" in done.stdout
    await check_restored(settings, pool, log)
    log.records, log.published = admitted(log), [len(each) for each in admitted(log)]
    last = log.add(ORG, ANN, facts.OrgRenamed(name="later"))[0]
    await publish(settings, log)
    async with projecting(settings) as projector:
        await wait_for(pool, last)
        await until(lambda: projector.health.ready, "all partitions are ready")
    assert (await tables(pool))["orgs"][ORG,][0] == "later"


async def test_a_row_with_its_second_id_is_written_under_its_first(settings: Settings, pool: Pool) -> None:
    log = log_with(ORG, users=(ANN,), partitions=PARTITIONS)
    await plant(pool, log.add(ORG, ANN, facts.OrgRenamed(name="b"))[0].id)
    await publish(settings, log)
    async with projecting(settings):
        await until_projected(pool, log)
    assert await second_ids(pool, log) == 1
    await lose_topic(settings)
    assert (await restore(settings, *LOSE)).code == 0
    assert await values(settings) == log.records


async def test_a_second_run_changes_nothing(settings: Settings, pool: Pool, log: Logbook) -> None:
    await lose_topic(settings)
    await ensure_topics(settings)
    assert (await restore(settings, *LOSE)).code == 0
    again = await restore(settings)
    assert (again.code, again.stdout.splitlines()[-1], again.stderr) == (0, "nothing to do", ""), again
    await check_restored(settings, pool, log)


async def test_a_killed_run_leaves_whole_commands_and_can_be_continued(
    settings: Settings, pool: Pool, log: Logbook
) -> None:
    await lose_topic(settings)
    before = await load_checkpoints(pool)
    killed = await restore(settings, *LOSE, dies_at="restore-begun:2")
    assert killed.code == -signal.SIGKILL, killed
    batches = (await values(settings))[HERE]
    per_batch = LOG_BATCH_BYTES // (ENTRIES_OF_COMMAND * ENTRY_BYTES)
    assert len(batches) == 2 + 2 * per_batch * ENTRIES_OF_COMMAND
    assert await load_checkpoints(pool) == before
    refused = await restore(settings, "--yes")
    assert (refused.code, f"has only the first {len(batches)} entries" in refused.stderr) == (1, True), refused
    done = await restore(settings, *LOSE)
    assert (done.code, f"entries: {count(admitted(log)) - len(batches)} written" in done.stdout) == (0, True), done
    await check_restored(settings, pool, log)


async def test_a_run_killed_before_the_checkpoints_are_set_is_finished_without_a_flag(
    settings: Settings, pool: Pool, log: Logbook
) -> None:
    await lose_topic(settings)
    assert (await restore(settings, *LOSE, dies_at="restore-written")).code == -signal.SIGKILL
    done = await restore(settings, "--yes")
    assert (done.code, "entries: 0 written" in done.stdout) == (0, True), done
    await check_restored(settings, pool, log)


async def test_without_consent_nothing_is_changed(settings: Settings, log: Logbook) -> None:
    await lose_topic(settings)
    unasked = await restore(settings, "--yes")
    assert (unasked.code, "is missing, so nobody can know" in unasked.stderr) == (1, True), unasked
    declined = await run_daybook(settings, "audit", "restore-topic", "--lose-unprojected", given=b"n\n")
    assert (declined.code, "Go on?" in declined.stderr) == (1, True), declined
    assert await is_missing(settings)


async def test_a_redacted_or_missing_row_of_audit_log_is_refused(settings: Settings, pool: Pool, log: Logbook) -> None:
    await lose_topic(settings)
    where = f"WHERE metadata_json->'partition' = '{THERE}' AND metadata_json->'position' = '2'"
    redaction = """metadata_json || '{"data": null, "salt": null}'"""
    async with pool.acquire() as connection:
        await unguarded(connection, f"UPDATE audit_log SET metadata_json = {redaction} {where}")
        redacted = await restore(settings, *LOSE)
        await unguarded(connection, f"DELETE FROM audit_log {where}")
        deleted = await restore(settings, *LOSE)
    assert (redacted.code, redacted.stdout) == (1, "")
    assert f"refused: entry {THERE}.2, id " in redacted.stderr
    assert (deleted.code, deleted.stdout) == (1, "")
    assert f"missing: audit_log {THERE}.2" in deleted.stderr
    assert await is_missing(settings)


async def test_a_topic_with_other_records_is_not_changed(settings: Settings, pool: Pool, log: Logbook) -> None:
    before = await values(settings)
    sound = await restore(settings, *LOSE)
    assert (sound.code, f"partition {HERE}, has {len(before[HERE])} records" in sound.stderr) == (1, True), sound
    assert await values(settings) == before
    await lose_topic(settings)
    await ensure_topics(settings)
    await append(settings, THERE, [*admitted(log)[THERE][:2], b"another"])
    other = await restore(settings, *LOSE)
    assert (other.code, f"partition {THERE}, has other records than audit_log" in other.stderr) == (1, True), other
    assert "kafka-topics.sh" in other.stderr
    assert count(await values(settings)) == 3


async def test_a_topic_with_other_settings_is_refused(settings: Settings, pool: Pool, log: Logbook) -> None:
    await lose_topic(settings)
    async with admin(settings) as client:
        await client.create_topics(
            [NewTopic(Topics(settings.topic_prefix).audit_log, num_partitions=1, replication_factor=1)]
        )
    refused = await restore(settings, *LOSE)
    assert (refused.code, "has 1 partitions" in refused.stderr) == (1, True), refused


async def test_while_services_run_nothing_is_restored(settings: Settings, pool: Pool, log: Logbook) -> None:
    async with projecting(settings) as projector:
        await until(lambda: projector.health.ready, "the projector is ready")
        await lose_topic(settings)
        refused = await restore(settings, *LOSE)
    assert (refused.code, refused.stdout) == (1, "")
    assert f"consumer group {settings.topic_prefix}projector has 1 members" in refused.stderr
    assert "daybook-projector is connected to PostgreSQL" in refused.stderr
    assert await is_missing(settings)


async def test_too_few_partitions_are_refused(settings: Settings, log: Logbook) -> None:
    refused = await restore(settings.model_copy(update={"partitions": 1}), *LOSE)
    assert (refused.code, "DAYBOOK_PARTITIONS is 1" in refused.stderr) == (1, True), refused


async def test_a_server_that_is_away_gives_exit_code_2(settings: Settings, log: Logbook) -> None:
    away = settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    unfinished = await restore(away, *LOSE)
    assert (unfinished.code, "could not finish: Kafka is not reachable" in unfinished.stderr) == (2, True), unfinished
