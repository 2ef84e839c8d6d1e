"""One shard, event by event: the effects that it returns, and the outcome of each batch."""

from uuid import uuid4

import pytest
from msgspec.structs import replace

from daybook_command.shard import batch
from daybook_command.shard.effects import Answer, Append, Commit, LoadSnapshot, ReadGap, Report, Stop, TakeOver
from daybook_command.shard.events import Acknowledged, Answered, AppendRefused, AppendUnknown, GapRead
from daybook_command.shard.records import LogRecord
from daybook_command.shard.state import ShardPhase
from daybook_contracts.topics import CORRELATION_ID, PRINCIPAL
from support.entries_by_hand import changed, with_member
from support.one_shard import (
    ANN,
    NOTHING,
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

CREATE = command_at(0, "CREATE_ORG")


def test_a_batch_is_answered_after_its_acknowledgement_and_committed_after_its_answers() -> None:
    shard = ready_shard()
    append = decide_batch(shard, CREATE, command_at(1))
    assert len(append.records) == 2
    answer = only_effect(shard.handle(Acknowledged(0)), Answer)
    assert [reply.command_id for reply in answer.replies] == [
        "00000000-0000-4000-8000-000000000001",
        "00000000-0000-4000-8000-000000000002",
    ]
    assert shard.handle(Answered(answer.next_offset)) == [Commit(2)]


def test_commands_that_arrive_during_a_batch_form_the_next_batch() -> None:
    shard = ready_shard()
    decide_batch(shard, CREATE)
    assert arrive(shard, command_at(1)) == []
    effects = shard.handle(Acknowledged(0))
    assert only_effect(effects, LoadSnapshot).commands == 1


def test_a_batch_after_void_records_is_admitted() -> None:
    shard = ready_shard()
    append = decide_batch(shard, CREATE)
    assert shard.handle(Acknowledged(2)) == [ReadGap(0, 3)]
    records = [LogRecord(0, b"{}"), LogRecord(1, None), LogRecord(2, append.records[0].value)]
    effects = shard.handle(GapRead(records))
    assert [report.kind for report in effects if isinstance(report, Report)] == ["void", "void"]
    assert only_effect(effects, Answer).next_offset == 1
    assert shard.memory.end == 3


def test_a_batch_after_another_writers_entry_is_void_and_decided_again() -> None:
    shard, other = ready_shard(), ready_shard()
    won = decide_batch(other, CREATE).records[0].value
    lost = decide_batch(shard, CREATE).records[0].value
    shard.handle(Acknowledged(1))
    effects = shard.handle(GapRead([LogRecord(0, won), LogRecord(1, lost)]))
    assert only_effect(effects, Report).kind == "lost"
    only_effect(effects, TakeOver)
    assert [record.offset for record in shard.inbox.queue] == [0]
    assert len(shard.memory.tail) == len(shard.memory.cache) == 0


def test_a_gap_is_read_from_the_head_and_voids_are_reported_only_once() -> None:
    shard = ready_shard()
    first = decide_batch(shard, CREATE).records[0].value
    shard.handle(Acknowledged(0))
    second = decide_batch(shard, command_at(1)).records[0].value
    assert shard.handle(Acknowledged(2)) == [ReadGap(0, 3)]
    effects = shard.handle(GapRead([LogRecord(0, first), LogRecord(1, None), LogRecord(2, second)]))
    assert [report.kind for report in effects if isinstance(report, Report)] == ["void"]
    third = decide_batch(shard, command_at(2)).records[0].value
    assert shard.handle(Acknowledged(4)) == [ReadGap(2, 5)]
    effects = shard.handle(GapRead([LogRecord(2, second), LogRecord(3, first), LogRecord(4, third)]))
    assert only_effect(effects, Report).detail == "offset 3: wrong_position"


@pytest.mark.parametrize("regrown", [[LogRecord(0, b"another"), LogRecord(1, None)], [LogRecord(1, None)]])
def test_a_log_that_was_lost_and_grew_again_stops_the_partition(regrown: list[LogRecord]) -> None:
    shard = ready_shard()
    decide_batch(shard, CREATE)
    shard.handle(Acknowledged(0))
    own = decide_batch(shard, command_at(1)).records[0].value
    shard.handle(Acknowledged(2))
    effects = shard.handle(GapRead([*regrown, LogRecord(2, own)]))
    assert "offset 0 is not entry 0.0" in only_effect(effects, Stop).reason
    assert shard.phase is ShardPhase.STOPPED


@pytest.mark.parametrize("left", [[], [LogRecord(1, None)]])
def test_a_gap_in_a_log_that_lost_its_beginning_stops_the_partition(left: list[LogRecord]) -> None:
    shard = ready_shard()
    decide_batch(shard, CREATE)
    shard.handle(Acknowledged(1))
    assert only_effect(shard.handle(GapRead(left, log_start=1)), Stop).reason == "the log starts at offset 1, not at 0"


@pytest.mark.parametrize("event", [Acknowledged(None), AppendUnknown()])
def test_an_unknown_outcome_causes_a_takeover_before_anything_else(event: Acknowledged | AppendUnknown) -> None:
    shard = ready_shard()
    decide_batch(shard, CREATE)
    effects = shard.handle(event)
    only_effect(effects, TakeOver)
    assert arrive(shard, command_at(1)) == []
    assert [record.offset for record in shard.inbox.queue] == [0, 1]


def test_an_acknowledgement_below_the_folded_end_stops_the_partition() -> None:
    shard = ready_shard()
    decide_batch(shard, CREATE)
    shard.handle(Acknowledged(0))
    decide_batch(shard, command_at(1))
    shard.handle(Acknowledged(0))
    assert shard.phase is ShardPhase.STOPPED
    assert arrive(shard, command_at(2)) == []


def test_commands_of_a_refused_batch_are_retried_one_by_one_and_refused_if_they_fail_alone() -> None:
    shard = ready_shard()
    decide_batch(shard, CREATE, command_at(1))
    shard.handle(AppendRefused("too large"))
    assert shard.inbox.suspects == {0, 1}
    taken_over = ready_shard()
    taken_over.inbox.suspects = shard.inbox.suspects
    alone = decide_batch(taken_over, CREATE, command_at(1))
    assert len(alone.records) == 1
    taken_over.handle(AppendRefused("too large"))
    assert taken_over.inbox.doomed == {0}
    last = ready_shard()
    last.inbox.suspects, last.inbox.doomed = taken_over.inbox.suspects, taken_over.inbox.doomed
    effects = last.handle(loaded_snapshot(arrive(last, CREATE, command_at(1))))
    assert refusal_codes(only_effect(effects, Answer)) == ["INTERNAL"]
    assert only_effect(effects, LoadSnapshot).commands == 1


def test_a_command_that_crashes_its_decider_is_refused_and_the_shard_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    shard = ready_shard()
    with monkeypatch.context() as patched:
        patched.setattr(batch, "decide", fails)
        effects = shard.handle(loaded_snapshot(arrive(shard, CREATE, command_at(1))))
        assert only_effect(effects, Report).kind == "decide_failed"
        effects = shard.handle(loaded_snapshot(effects))
        assert shard.inbox.doomed == {0}
        effects = shard.handle(loaded_snapshot(effects))
    assert refusal_codes(only_effect(effects, Answer)) == ["INTERNAL"]
    append = only_effect(shard.handle(loaded_snapshot(effects)), Append)
    assert b"ORG_NOT_FOUND" in append.records[0].value


def test_a_batch_closes_before_it_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "LOG_BATCH_BYTES", 2_000)
    shard = ready_shard(replace(CONFIG, max_commands=100))
    append = decide_batch(shard, CREATE, *(command_at(offset) for offset in range(1, 9)))
    assert sum(len(record.value) for record in append.records) <= 2_000
    assert [record.offset for record in shard.inbox.queue] == list(range(len(append.records), 9))


@pytest.mark.parametrize(("principal", "reserved"), [("service:test", 1), (f"user:{ANN}", 0)])
def test_only_an_id_that_a_service_chose_is_reserved(principal: str, reserved: int) -> None:
    create = sent(0, "CREATE_PROJECT", name="Site", project_id=str(uuid4()))
    record = replace(create, headers=((PRINCIPAL, principal.encode()),))
    assert len(only_effect(arrive(ready_shard(), record), LoadSnapshot).needs.chosen_ids) == reserved


def test_a_repeat_in_the_same_batch_gets_the_first_result() -> None:
    shard = ready_shard()
    append = decide_batch(shard, CREATE, replace(CREATE, offset=1))
    assert len(append.records) == 1
    first, second = only_effect(shard.handle(Acknowledged(0)), Answer).replies
    assert first == second


def test_a_different_command_with_a_used_id_is_refused_without_an_entry() -> None:
    shard = ready_shard()
    other = replace(CREATE, offset=1, value=(CREATE.value or b"").replace(b"name 0", b"another"))
    append = decide_batch(shard, CREATE, other)
    assert len(append.records) == 1
    assert refusal_codes(only_effect(shard.handle(Acknowledged(0)), Answer)) == ["COMMAND_ID_REUSED"]


def test_a_repeat_with_an_unreadable_first_result_is_refused_as_internal() -> None:
    shard = ready_shard()
    effects = arrive(shard, CREATE)
    stored = only_effect(effects, LoadSnapshot).needs.identities[0]
    effects = shard.handle(loaded_snapshot(effects, entries={stored: None}))
    assert refusal_codes(only_effect(effects, Answer)) == ["INTERNAL"]


def test_a_repeat_of_a_rejection_with_an_unknown_code_is_refused_as_internal() -> None:
    rejected = decide_batch(ready_shard(), command_at(1)).records[0].value
    unknown = changed(rejected, with_member(".error", {"code": "TOO_LATE", "detail": "x"}))
    shard = starting_shard()
    take_over(shard, NOTHING, [LogRecord(0, unknown)], 0, 1)
    answer = only_effect(shard.handle(loaded_snapshot(arrive(shard, command_at(1)))), Answer)
    assert refusal_codes(answer) == ["INTERNAL"]


def test_an_oversize_command_is_answered_with_413_over_kafka_as_over_http() -> None:
    shard = ready_shard()
    large = replace(CREATE, value=(CREATE.value or b"").replace(b"name 0", b"n" * 300 * 1024))
    answer = only_effect(shard.handle(loaded_snapshot(arrive(shard, large))), Answer)
    assert refusal_codes(answer) == ["INVALID_COMMAND"]
    assert [b'"status":413' in reply.value for reply in answer.replies] == [True]


def test_an_answer_carries_a_correlation_id_only_if_the_command_did() -> None:
    shard = ready_shard()
    without = replace(command_at(1), headers=tuple(each for each in CREATE.headers if each[0] != CORRELATION_ID))
    decide_batch(shard, CREATE, without)
    replies = only_effect(shard.handle(Acknowledged(0)), Answer).replies
    assert [reply.correlation_id is None for reply in replies] == [False, True]
