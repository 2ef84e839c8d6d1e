"""Small groups of batches in one message, on a real PostgreSQL. The tests of groups (`test_projector_groups.py`) run
with small groups too, and show that a fault of one partition stays its own.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daybook_contracts.entries import facts
from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.partition.machine import Batch, PartitionLog
from daybook_projector.postgres import writer as writers
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.fold import folds
from support.histories import logs
from support.logbook import Logbook, log_with, org, records, user
from support.projecting import check_fold, database, empty_tables, post, quarantine, tables

ORG, OTHER, ANN, BOB = org(1), org(2), user(1), user(2)
SHARED_DATABASE = True
START = """
INSERT INTO daybook.checkpoints (partition, next_offset, position, hash, head_offset, updated_at)
VALUES (0, 0, -1, repeat('0', 64), -1, clock_timestamp())
"""


def reader_of(log: Logbook) -> PartitionLog:
    """Reads a log of one partition from its start."""
    reader = PartitionLog(0, NOTHING_PROJECTED, partitions=1)
    reader.take(records(log.records[0]))
    return reader


def writer_on(pool: Pool) -> Writer:
    return Writer(pool, folds(managed_users=True))


async def messages_of(pool: Pool, writer: Writer, batch: Batch) -> list[str]:
    """Writes the batch as a group; returns the statements that were sent."""
    sent: list[str] = []
    async with pool.acquire() as connection:
        with connection.query_logger(lambda record: sent.append(record.query)):
            assert await writer._write_free(connection, [batch]) == {0}
    return sent


async def batch_after(pool: Pool, log: Logbook) -> Batch:
    """What the log has beyond the stored checkpoint."""
    reader = reader_of(log)
    done = await pool.fetchval("SELECT position + 1 FROM daybook.checkpoints")
    projected = reader.next_batch(done)
    assert projected is not None
    reader.mark_projected(projected)
    batch = reader.next_batch(5000)
    assert batch is not None
    return batch


async def founded(pool: Pool) -> Logbook:
    log = log_with(ORG, OTHER, users=(ANN,))
    await empty_tables(pool)
    assert await post(pool, log) == []
    return log


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(log=logs, limit=st.integers(1, 80))
async def test_any_history_gives_the_same_tables(shared_settings: Settings, log: Logbook, limit: int) -> None:
    async with database(shared_settings) as pool:
        await empty_tables(pool)
        await pool.execute(START)
        reader, writer = reader_of(log), writer_on(pool)
        while (batch := reader.next_batch(limit)) is not None:
            assert await writer.write_together([batch]) == {0}
            reader.mark_projected(batch)
        await check_fold(pool, log)


async def test_a_small_group_is_sent_in_one_message_once_its_statements_are_prepared(pool: Pool) -> None:
    log, writer = await founded(pool), writer_on(pool)
    for name in ('it\'s "b"', "\\c"):
        log.add(ORG, ANN, facts.OrgRenamed(name=name))
        sent = await messages_of(pool, writer, await batch_after(pool, log))
    assert len(sent) == 1
    assert (await tables(pool))["orgs"][ORG,][0] == "\\c"
    await check_fold(pool, log)


async def test_a_large_group_is_written_statement_by_statement(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "SCRIPT_CHARACTERS", 100)
    log, writer = await founded(pool), writer_on(pool)
    log.add(ORG, ANN, facts.OrgRenamed(name="b"))
    sent = await messages_of(pool, writer, await batch_after(pool, log))
    assert sent[0] == "BEGIN;"
    assert not any(each.startswith("EXECUTE") for each in sent)
    await check_fold(pool, log)


async def test_a_group_whose_row_is_missing_writes_nothing(pool: Pool) -> None:
    log = await founded(pool)
    before = await tables(pool)
    log.add(OTHER, ANN, facts.OrgRenamed(name="b"))
    log.add(ORG, ANN, facts.MemberUpdated(role="admin", user_id=BOB))
    assert await writer_on(pool).write_together([await batch_after(pool, log)]) == set()
    assert await tables(pool) == before


async def test_no_script_is_tried_for_an_org_in_quarantine_until_it_is_released(pool: Pool) -> None:
    log, writer = await founded(pool), writer_on(pool)
    log.add(ORG, ANN, facts.MemberUpdated(role="admin", user_id=BOB))
    assert len(await writer.write(await batch_after(pool, log))) == 1
    counts = []
    for name in ("b", "c", "d", "e"):
        log.add(ORG, ANN, facts.OrgRenamed(name=name))
        if name == "d":
            await pool.execute("UPDATE daybook.quarantine SET released_at = now()")
        sent = await messages_of(pool, writer, await batch_after(pool, log))
        counts.append(sum(each.startswith("EXECUTE") for each in sent))
    # The first attempt finds the quarantine; the third batch finds that it has ended.
    assert counts == [1, 0, 0, 1]
    assert (await tables(pool))["orgs"][ORG,][0] == "e"
    assert await quarantine(pool) == []
