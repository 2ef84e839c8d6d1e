"""The writer on a real PostgreSQL: batches in, rows out, compared with an independent fold of the same entries."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daybook_contracts.entries import facts
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint, Head
from daybook_infra.runtime.postgres.checkpoints import load_checkpoint
from daybook_infra.runtime.settings import Settings
from daybook_projector.partition.machine import Batch, PartitionLog
from daybook_projector.postgres.checkpoints import CheckpointLost
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.fold import folds
from support.histories import logs
from support.logbook import Logbook, org, project, records, user
from support.projecting import StrictWriter, database, empty, expected, post, quarantine, tables
from support.stack import FreshSettings
from support.tables import differences, fold

ORG, ANN, BOB = org(1), user(1), user(2)


@pytest.fixture(scope="module")
def shared_settings(lasting_settings: FreshSettings) -> Settings:
    return lasting_settings(partitions=1)


def log_with_org() -> Logbook:
    log = Logbook()
    log.register(ANN)
    log.register(BOB)
    log.add(ORG, ANN, facts.OrgCreated(name="a"))
    return log


def whole_batch(log: Logbook) -> Batch:
    reader = PartitionLog(0, NOTHING_PROJECTED, partitions=1)
    reader.take(records(log.records[0]))
    batch = reader.next_batch(5000)
    assert batch is not None
    return batch


@pytest.mark.parametrize(
    "before",
    [
        Checkpoint(1, NOTHING_PROJECTED.head, -1),
        Checkpoint(0, Head(0, NOTHING_PROJECTED.head.hash), -1),
        Checkpoint(0, Head(-1, "f" * 64), -1),
    ],
)
async def test_a_writer_with_another_checkpoint_writes_nothing(
    fresh_settings: FreshSettings, before: Checkpoint
) -> None:
    batch = whole_batch(log_with_org())
    async with database(fresh_settings(partitions=1)) as pool:
        writer = Writer(pool, folds(managed_users=True))
        with pytest.raises(CheckpointLost):
            await writer.write(Batch(0, batch.entries, before, batch.after))
        assert await tables(pool) == fold([])
        assert await load_checkpoint(pool, 0) == NOTHING_PROJECTED


async def test_the_second_writer_of_a_batch_writes_nothing(fresh_settings: FreshSettings) -> None:
    log = log_with_org()
    batch = whole_batch(log)
    async with database(fresh_settings(partitions=1)) as pool:
        writer = Writer(pool, folds(managed_users=True))
        assert await writer.write(batch) == []
        with pytest.raises(CheckpointLost):
            await writer.write(batch)
        assert differences(expected(log), await tables(pool)) == []
        assert await writer.checkpoint(0) == batch.after


async def test_metadata_is_stored_as_recorded(fresh_settings: FreshSettings) -> None:
    log = log_with_org()
    async with database(fresh_settings(partitions=1)) as pool:
        await post(pool, log)
        stored = await pool.fetchval("SELECT metadata_json FROM audit_log WHERE action = 'CREATE_ORG'")
        assert expected(log)["audit_log"] == (await tables(pool))["audit_log"]
        assert await pool.fetchval("SELECT $1::jsonb ->> 'hash'", stored) == log.heads[0].hash


async def test_external_users_are_not_written(fresh_settings: FreshSettings) -> None:
    log = log_with_org()
    async with database(fresh_settings(partitions=1)) as pool:
        await pool.execute("INSERT INTO auth.users VALUES ($1, now())", ANN)
        await pool.execute("INSERT INTO auth.users VALUES ($1, now())", BOB)
        assert await post(pool, log, managed=False) == []
        assert await pool.fetchval("SELECT count(*) FROM auth.users") == 2
        assert await pool.fetchval("SELECT count(*) FROM audit_log") == 3


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(log=logs, limit=st.integers(1, 8), cut=st.integers(1, 40))
async def test_any_cut_into_batches_gives_the_same_tables(
    shared_settings: Settings, log: Logbook, limit: int, cut: int
) -> None:
    async with database(shared_settings) as pool:
        for size in (limit, cut, 5000):
            await empty(pool)
            assert await post(pool, log, size, kind=StrictWriter) == []
            assert differences(expected(log), await tables(pool)) == []
            assert await quarantine(pool) == []


async def test_transient_and_replaced_rows_are_written_correctly(fresh_settings: FreshSettings) -> None:
    log = log_with_org()
    log.add(ORG, ANN, facts.ProjectCreated(name="p", project_id=project(1)))
    for _ in range(2):
        log.add(ORG, ANN, facts.MemberAdded(role="admin", user_id=BOB))
        log.add(ORG, ANN, facts.ProjectMemberAdded(project_id=project(1), role="editor", user_id=BOB))
        log.add(ORG, ANN, facts.MemberRemoved(user_id=BOB, project_ids=(project(1),)))
    log.add(ORG, ANN, facts.MemberAdded(role="viewer", user_id=BOB))
    for limit in (5000, 6, 7, 8):
        async with database(fresh_settings(partitions=1)) as pool:
            assert await post(pool, log, limit, kind=StrictWriter) == []
            assert differences(expected(log), await tables(pool)) == []
