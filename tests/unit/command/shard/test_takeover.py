"""A shard folds the log in slices when it takes its partition over, and waits if the log's tail is too long."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daybook_command.shard.effects import Hold, Stop, TakeOver
from daybook_command.shard.events import Acknowledged, LogOpened, LogRead, Tick
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import LogRecord
from daybook_command.shard.state import ShardPhase
from daybook_contracts.log.continuity import head_of
from daybook_contracts.log.head import Checkpoint
from support.one_shard import (
    NOTHING,
    command_at,
    decide_batch,
    loaded_snapshot,
    only_effect,
    ready_shard,
    starting_shard,
)
from support.simulation import CONFIG

COMMANDS = 12
LIMITED = replace(CONFIG, max_tail=15_000)


@cache
def entries() -> tuple[bytes, ...]:
    shard, values = ready_shard(), list[bytes]()
    for number in range(0, COMMANDS, 4):
        commands = (command_at(at, "RENAME_ORG" if at else "CREATE_ORG") for at in range(number, number + 4))
        values += [record.value for record in decide_batch(shard, *commands).records]
        shard.handle(Acknowledged(number))
    return tuple(values)


def checkpoint_at(records: list[LogRecord], next_offset: int) -> Checkpoint:
    """The checkpoint when all records below this offset are projected."""
    admitted = [(head_of(0, each.value), each.offset) for each in records[:next_offset]]
    found = [(head, offset) for head, offset in admitted if head is not None]
    head, offset = max(found, key=lambda each: each[0].position, default=(NOTHING.head, NOTHING.head_offset))
    return Checkpoint(next_offset, head, offset)


@st.composite
def logs(draw: st.DrawFn) -> list[LogRecord]:
    """The entries, with void records between them."""
    voids = st.lists(st.sampled_from([None, b"{}", entries()[0]]), max_size=3)
    values = [value for entry in entries() for value in (entry, *draw(voids))]
    return [LogRecord(offset, value) for offset, value in enumerate(values)]


def read(shard: Shard, records: list[LogRecord], checkpoint: Checkpoint, cuts: set[int]) -> None:
    """Gives the shard the log in slices that end at `cuts`, while the shard is taking over."""
    shard.handle(LogOpened(checkpoint, 0, len(records)))
    start = checkpoint.first_to_read
    for end in sorted({cut for cut in cuts if cut > start} | {len(records)}):
        if shard.phase is ShardPhase.TAKING_OVER:
            shard.handle(LogRead(records[start:end], end))
        start = end


@given(logs(), st.integers(0, 20), st.sets(st.integers(1, 40)))
def test_folding_in_slices_gives_the_same_memory_as_folding_at_once(
    records: list[LogRecord], projected: int, cuts: set[int]
) -> None:
    checkpoint = checkpoint_at(records, min(projected, len(records)))
    sliced, whole = starting_shard(), starting_shard()
    read(sliced, records, checkpoint, {cut for cut in cuts if cut < len(records)})
    read(whole, records, checkpoint, set())
    assert sliced.phase is whole.phase is ShardPhase.READY
    assert sliced.memory == whole.memory
    assert whole.memory.end == len(records)


def test_a_shard_that_is_too_far_behind_forgets_what_it_has_folded_and_waits_for_the_checkpoint() -> None:
    records = [LogRecord(offset, value) for offset, value in enumerate(entries())]
    shard = starting_shard(LIMITED)
    shard.handle(LogOpened(NOTHING, 0, COMMANDS))
    assert shard.handle(LogRead(records[:3], 3)) == []
    held = shard.handle(LogRead(records[3:7], 7))
    assert only_effect(held, Hold).reason == "12 entries wait for the projector; no command is read"
    assert (len(shard.memory.tail), shard.waits) == (0, True)
    # It had folded 7 entries when the tail became too long, so it waits until no more than 7 are left.
    for projected, phase in ((4, ShardPhase.BEHIND), (5, ShardPhase.TAKING_OVER)):
        assert shard.handle(Tick()) == [TakeOver(waited=True)]
        shard.handle(LogOpened(checkpoint_at(records, projected), 0, COMMANDS))
        assert (shard.phase, len(shard.memory.tail)) == (phase, 0)
    shard.handle(LogRead(records[4:], COMMANDS))
    assert (shard.phase, len(shard.memory.tail)) == (ShardPhase.READY, 7)


def test_a_shard_that_has_waited_continues_when_the_tail_is_short_enough() -> None:
    records = [LogRecord(offset, value) for offset, value in enumerate(entries())]
    shard = starting_shard(LIMITED)
    read(shard, records, NOTHING, {6})
    shard.handle(Tick())
    checkpoint = checkpoint_at(records, COMMANDS)
    read(shard, records, checkpoint, set())
    assert (shard.phase, shard.waits) == (ShardPhase.READY, True)
    effects = shard.handle(loaded_snapshot(shard.handle(Tick()), checkpoint))
    assert only_effect(effects, Hold).reason is None
    assert not shard.waits


def test_a_slice_that_arrives_while_the_shard_waits_is_ignored() -> None:
    records = [LogRecord(offset, value) for offset, value in enumerate(entries())]
    shard = starting_shard(LIMITED)
    read(shard, records, NOTHING, {6})
    assert shard.handle(LogRead(records[6:], COMMANDS)) == []
    assert shard.phase is ShardPhase.BEHIND


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (1, COMMANDS, "the log starts at offset 1, not at 0"),
        (0, 4, "the log ends at offset 4, before the checkpoint's 5"),
        (0, 6, f"the log ends at offset 6, but ended at {COMMANDS} when the partition was taken over"),
    ],
)
def test_a_log_that_loses_records_while_it_is_read_stops_the_partition(start: int, end: int, reason: str) -> None:
    records = [LogRecord(offset, value) for offset, value in enumerate(entries())]
    shard, checkpoint = starting_shard(), checkpoint_at(records, 5)
    shard.handle(LogOpened(checkpoint, 0, COMMANDS))
    shard.handle(LogRead(records[4:6], 6))
    stopped = shard.handle(LogOpened(checkpoint, start, end, ended_at=COMMANDS))
    assert only_effect(stopped, Stop).reason == reason
    assert shard.phase is ShardPhase.STOPPED
