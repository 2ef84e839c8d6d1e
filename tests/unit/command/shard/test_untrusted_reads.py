"""How a shard reacts to reads it cannot trust: a checkpoint, log or clock that is wrong, or a poison entry."""

from uuid import UUID

import pytest
from msgspec.structs import replace

from daybook_command.shard.effects import Answer, Append, Hold, LoadSnapshot, Report, Stop, TakeOver
from daybook_command.shard.events import Acknowledged, Tick
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import LogRecord
from daybook_command.shard.snapshot import LoadedOrg
from daybook_command.shard.snapshot_checks import skew_fault_between
from daybook_command.shard.state import ShardPhase
from daybook_contracts.entries.entry import decode_entry
from daybook_contracts.log.continuity import MAX_VOIDS_IN_A_ROW, head_of
from daybook_contracts.log.head import Checkpoint, Head
from daybook_contracts.log.sealing import seal
from daybook_contracts.timestamps import timestamp
from support.one_shard import (
    NOTHING,
    ORG,
    arrive,
    command_at,
    decide_batch,
    loaded_snapshot,
    only_effect,
    ready_shard,
    refusal_codes,
    sent,
    starting_shard,
    take_over,
)
from support.simulation import CONFIG
from support.surroundings import START_US

CREATE = command_at(0, "CREATE_ORG")


def settled() -> tuple[Shard, bytes, Checkpoint]:
    """A shard with one entry in its log, that entry, and the checkpoint after projecting it."""
    shard = ready_shard()
    value = decide_batch(shard, CREATE).records[0].value
    shard.handle(Acknowledged(0))
    head = head_of(0, value)
    assert head is not None
    return shard, value, Checkpoint(1, head, 0)


def test_a_checkpoint_that_went_back_causes_a_takeover() -> None:
    shard, _, checkpoint = settled()
    decide_batch(shard, command_at(1), checkpoint=checkpoint)
    shard.handle(Acknowledged(1))
    effects = shard.handle(loaded_snapshot(arrive(shard, command_at(2)), checkpoint=NOTHING))
    assert only_effect(effects, Report).kind == "retake"
    only_effect(effects, TakeOver)


def test_a_checkpoint_ahead_of_the_shard_causes_a_takeover() -> None:
    shard, _, _ = settled()
    ahead = Checkpoint(5, Head(4, "0" * 64), 4)
    effects = shard.handle(loaded_snapshot(arrive(shard, command_at(1)), checkpoint=ahead))
    only_effect(effects, TakeOver)


def test_a_checkpoint_with_another_entry_at_the_same_position_causes_a_takeover() -> None:
    shard, _, checkpoint = settled()
    other = replace(checkpoint, head=Head(0, "f" * 64))
    effects = shard.handle(loaded_snapshot(arrive(shard, command_at(1)), checkpoint=other))
    only_effect(effects, TakeOver)


@pytest.mark.parametrize(
    ("records", "start", "end"),
    [
        pytest.param([LogRecord(3, b"{}")], 3, 4, id="it starts above 0"),
        pytest.param([], 0, 0, id="it ends before the checkpoint"),
        pytest.param([LogRecord(0, b"{}")], 0, 1, id="its head is another record"),
        pytest.param([], 0, 1, id="its head cannot be read"),
    ],
)
def test_a_log_that_contradicts_the_checkpoint_stops_the_shard(records: list[LogRecord], start: int, end: int) -> None:
    _, _, checkpoint = settled()
    shard = starting_shard()
    effects = take_over(shard, checkpoint, records, start, end)
    only_effect(effects, Stop)
    assert shard.phase is ShardPhase.STOPPED


def test_a_takeover_continues_after_the_checkpoint_and_the_tail() -> None:
    _, value, checkpoint = settled()
    for projected in (NOTHING, checkpoint):
        shard = starting_shard()
        assert take_over(shard, projected, [LogRecord(0, value)], 0, 1) == []
        assert shard.memory.head == checkpoint.head
        assert shard.memory.end == 1
        assert shard.memory.last_us == START_US


@pytest.mark.parametrize("skew_us", [-6_000_000, 6_000_000])
def test_a_shard_with_a_wrong_clock_appends_nothing_until_the_clock_is_right(skew_us: int) -> None:
    shard = ready_shard()
    effects = shard.handle(loaded_snapshot(arrive(shard, CREATE), now_us=START_US + skew_us))
    assert "clock" in (only_effect(effects, Hold).reason or "")
    effects = shard.handle(Tick())
    assert shard.handle(loaded_snapshot(effects, now_us=START_US + skew_us)) == []
    effects = shard.handle(loaded_snapshot(shard.handle(Tick())))
    assert only_effect(effects, Hold).reason is None
    only_effect(shard.handle(loaded_snapshot(effects)), Append)


def test_a_slow_reply_is_not_mistaken_for_clock_skew() -> None:
    second, database_us = 1_000_000, START_US
    for asked, answered, skew in (
        (-60, 0, None),
        (0, 60, None),
        (-60, 60, None),
        (6, 60, "+6.0 s"),
        (-60, -6, "-6.0 s"),
    ):
        fault = skew_fault_between(database_us + asked * second, database_us + answered * second, database_us)
        assert fault == (None if skew is None else f"the clock is {skew} off PostgreSQL's")


def test_a_shard_whose_log_is_far_ahead_of_its_clock_appends_nothing() -> None:
    shard, _, _ = settled()
    behind = START_US - 61_000_000
    effects = shard.handle(loaded_snapshot(arrive(shard, command_at(1)), now_us=behind, database_us=behind))
    assert "past this clock" in (only_effect(effects, Hold).reason or "")


@pytest.mark.parametrize(("max_tail", "cache_bytes"), [(5_000, CONFIG.cache_bytes), (6_500, 1)])
def test_a_long_tail_or_its_large_orgs_hold_the_shard_until_the_projector_has_caught_up(
    max_tail: int, cache_bytes: int
) -> None:
    shard = ready_shard(replace(CONFIG, max_tail=max_tail, cache_bytes=cache_bytes))
    append = decide_batch(shard, CREATE, command_at(1))
    shard.handle(Acknowledged(0))
    assert (shard.memory.tail.weight < max_tail) == (cache_bytes == 1)
    assert only_effect(arrive(shard, command_at(2)), Hold).reason == "2 entries wait for the projector"
    assert shard.handle(loaded_snapshot(shard.handle(Tick()))) == []
    head = head_of(0, append.records[1].value)
    assert head is not None
    effects = shard.handle(loaded_snapshot(shard.handle(Tick()), checkpoint=Checkpoint(2, head, 1)))
    assert only_effect(effects, Hold).reason is None
    assert only_effect(effects, LoadSnapshot).commands == 1


def test_an_idle_shard_whose_tail_exceeds_its_share_drops_projected_entries_and_evicts_orgs() -> None:
    shard = ready_shard(replace(CONFIG, max_tail=8_000, cache_bytes=1))
    other = str(UUID(int=0xC, version=4))
    append = decide_batch(shard, CREATE, sent(1, "CREATE_ORG", org_id=other, name="Other"))
    assert shard.handle(Acknowledged(0))
    head = head_of(0, append.records[1].value)
    assert head is not None
    assert shard.handle(loaded_snapshot(shard.handle(Tick()), checkpoint=Checkpoint(2, head, 1))) == []
    assert (len(shard.memory.tail), shard.handle(Tick())) == (0, [])
    assert list(shard.memory.cache.orgs) == [other]


def poison() -> bytes:
    """An entry with an unknown action and a correct hash."""
    _, value, _ = settled()
    return seal(decode_entry(value.replace(b'"action":"CREATE_ORG"', b'"action":"UNHEARD_OF"')))


def test_a_poison_entry_quarantines_its_org() -> None:
    shard = starting_shard()
    effects = take_over(shard, NOTHING, [LogRecord(0, poison())], 0, 1)
    assert only_effect(effects, Report).kind == "poison"
    effects = shard.handle(loaded_snapshot(arrive(shard, command_at(1))))
    assert refusal_codes(only_effect(effects, Answer)) == ["ORG_QUARANTINED"]


def later_version(created_at: str) -> bytes:
    """A successor of `poison()`, written by a later version of Daybook."""
    head = head_of(0, poison())
    assert head is not None
    entry = decode_entry(poison())
    metadata = replace(entry.metadata_json, v=2, position=head.position + 1, prev=head.hash)
    return seal(replace(entry, created_at=created_at, metadata_json=metadata))


@pytest.mark.parametrize(
    ("created_at", "expected"),
    [
        pytest.param(timestamp(START_US + 4_000_000), timestamp(START_US + 4_000_001), id="ahead of this clock"),
        pytest.param("next week", timestamp(START_US + 1), id="not a time"),
    ],
)
def test_entries_have_later_times_than_poison_entries_before_them(created_at: str, expected: str) -> None:
    shard = starting_shard()
    records = [LogRecord(offset, value) for offset, value in enumerate((poison(), later_version(created_at)))]
    assert [report.kind for report in take_over(shard, NOTHING, records, 0, 2) if isinstance(report, Report)] == [
        "poison",
        "poison",
    ]
    other = str(UUID(int=0xC, version=4))
    append = decide_batch(shard, sent(0, "CREATE_ORG", org_id=other, name="Other"))
    assert [decode_entry(record.value).created_at for record in append.records] == [expected]


def test_an_org_with_a_poison_entry_is_not_kept_in_the_cache() -> None:
    shard = starting_shard()
    take_over(shard, NOTHING, [LogRecord(0, poison())], 0, 1)
    shard.handle(loaded_snapshot(arrive(shard, command_at(1))))
    assert [need.generation for need in only_effect(arrive(shard, command_at(2)), LoadSnapshot).needs.orgs] == [None]


def test_commands_for_a_quarantined_org_are_refused() -> None:
    shard = ready_shard()
    quarantined = {ORG: LoadedOrg(None, fresh=True, generation=1, quarantined=True)}
    effects = shard.handle(loaded_snapshot(arrive(shard, CREATE), orgs=quarantined))
    assert refusal_codes(only_effect(effects, Answer)) == ["ORG_QUARANTINED"]


def test_another_entry_at_the_head_causes_a_takeover_even_with_an_empty_tail() -> None:
    shard, _, checkpoint = settled()
    effects = shard.handle(loaded_snapshot(arrive(shard, replace(CREATE, offset=1)), checkpoint=checkpoint))
    only_effect(effects, Answer)
    assert len(shard.memory.tail) == 0
    other = replace(checkpoint, head=Head(0, "f" * 64))
    effects = shard.handle(loaded_snapshot(arrive(shard, command_at(2)), checkpoint=other))
    only_effect(effects, TakeOver)


def test_too_many_void_records_in_a_row_stop_the_partition() -> None:
    for voids, stops in ((MAX_VOIDS_IN_A_ROW - 1, False), (MAX_VOIDS_IN_A_ROW, True)):
        shard = starting_shard()
        effects = take_over(shard, NOTHING, [LogRecord(offset, None) for offset in range(voids)], 0, voids)
        assert any(isinstance(effect, Stop) for effect in effects) is stops
