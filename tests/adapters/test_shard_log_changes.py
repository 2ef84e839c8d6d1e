"""A log that loses its beginning or end while the command service reads it: no shard decides on what it has read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from daybook_command.engine.effect_runner import EffectRunner
from daybook_command.kafka import log_reader
from daybook_command.kafka.answer_publisher import AnswerPublisher
from daybook_command.kafka.log_reader import SLICE_RECORDS, LogReader
from daybook_command.kafka.log_writer import LogWriter
from daybook_command.main import open_service
from daybook_command.postgres.overdue_runs import OverdueRuns
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.effects import ReadGap, Stop
from daybook_command.shard.events import Acknowledged
from daybook_contracts.entries import facts
from daybook_contracts.topics import Topics
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.http.serving import cancel_and_wait
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from support.driving import eventually
from support.forging import append
from support.logbook import Logbook, log_with, org, user
from support.one_shard import command_at, decide_batch, only_effect, ready_shard
from support.projecting import post, publish, recreate_log

ORG, ANN = org(1), user(1)
LOST = 2
"""The records below this offset are lost."""


@pytest.fixture
def losing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log loses its beginning after its bounds were first read."""
    lose_after_first_look(monkeypatch, partial(delete_records, settings, before_offset=LOST))


def lose_after_first_look(monkeypatch: pytest.MonkeyPatch, lose: Callable[[], Awaitable[None]]) -> None:
    read_bounds, losses = LogReader.read_bounds, [lose]

    async def read_bounds_before_the_loss(self: LogReader, partition: int) -> tuple[int, int]:
        found = await read_bounds(self, partition)
        if losses:
            await losses.pop()()
        return found

    monkeypatch.setattr(LogReader, "read_bounds", read_bounds_before_the_loss)


async def delete_records(settings: Settings, before_offset: int) -> None:
    place = TopicPartition(Topics(settings.topic_prefix).audit_log, 0)
    async with admin(settings) as client:
        await client.delete_records({place: RecordsToDelete(before_offset=before_offset)})


@asynccontextmanager
async def deciding(settings: Settings) -> AsyncIterator[Health]:
    """Runs a command service without its HTTP server."""
    async with open_service(settings, None) as service:
        task = asyncio.create_task(service.engine.run())
        await service.subscriber.start(service.engine)
        try:
            yield service.health
        finally:
            await service.subscriber.stop()
            await cancel_and_wait(task)


@pytest.mark.usefixtures("losing")
async def test_a_log_that_loses_its_beginning_during_a_takeover_stops_its_partition(settings: Settings) -> None:
    await publish(settings, log_of_five())
    assert await reason_to_stop(settings) == f"the log starts at offset {LOST}, not at 0"


@pytest.mark.parametrize(
    ("is_projected", "reason"),
    [
        (True, "the log ends at offset 2, before the checkpoint's 5"),
        (False, "the log ends at offset 2, but ended at 5 when the partition was taken over"),
    ],
)
async def test_a_log_that_loses_its_end_during_a_takeover_stops_its_partition(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch, *, is_projected: bool, reason: str
) -> None:
    """If it is projected, the shard begins with the last record; otherwise, with the first one."""
    log = log_of_five()
    await publish(settings, log)
    if is_projected:
        await post(pool, log)
    monkeypatch.setattr(log_reader, "STALL_SECONDS", 2.0)
    lose_after_first_look(monkeypatch, partial(recreate_log, settings, log.records[0][:2]))
    assert await reason_to_stop(settings) == reason


def log_of_five() -> Logbook:
    log = log_with(ORG, users=[ANN], partitions=1)
    for name in ("b", "c", "d"):
        log.add(ORG, ANN, facts.OrgRenamed(name=name))
    return log


async def reason_to_stop(settings: Settings) -> str:
    """Runs a command service until its shard has stopped. Fails if the shard has taken its partition over instead."""
    async with deciding(settings) as health:

        async def taken_over_or_stopped() -> bool:
            return health.reasons.get("partition 0") != "starting"

        await eventually(taken_over_or_stopped, seconds=30)
        return health.reasons["partition 0"]


async def test_a_slice_never_begins_after_records_that_are_lost(settings: Settings, reader: LogReader) -> None:
    end = 3 * SLICE_RECORDS
    await append(settings, 0, [b"%d" % number for number in range(end)])
    assert (await reader.read_slice(0, 0, end)).next_offset == SLICE_RECORDS
    await reader.read_range(0, end - 1, end)  # so that the consumer forgets what it has fetched
    await delete_records(settings, before_offset=end - 1)
    with pytest.raises(KafkaAway, match="OffsetOutOfRange"):
        await reader.read_slice(0, SLICE_RECORDS, end)
    assert (await reader.read_slice(0, end - 1, end)).next_offset == end


@pytest.mark.usefixtures("losing")
async def test_a_gap_whose_beginning_is_lost_stops_the_partition(settings: Settings, reader: LogReader) -> None:
    """The lost records may have extended the log before the shard's batch."""
    shard = ready_shard()
    batch = decide_batch(shard, command_at(0, "CREATE_ORG"))
    await append(settings, 0, [b"lost", b"lost", b"void", batch.records[0].value])
    gap = only_effect(shard.handle(Acknowledged(3)), ReadGap)
    assert (gap.start, gap.stop) == (0, 4)
    effects = shard.handle(await runner_of(reader).read_gap(0, gap))
    assert only_effect(effects, Stop).reason == f"the log starts at offset {LOST}, not at 0"


def runner_of(reader: LogReader) -> EffectRunner:
    """Can only read the log."""
    return EffectRunner(
        reader,
        cast("LogWriter", None),
        cast("SnapshotReader", None),
        cast("OverdueRuns", None),
        cast("AnswerPublisher", None),
        Health(),
    )
