"""Besides the topic's commands, a shard takes some from the door, in memory. It answers these after their entries are
admitted, and hands them back instead of dropping them.
"""

import json

import pytest

from daybook_command.kafka.answer_records import records_of
from daybook_command.shard import batch
from daybook_command.shard.effects import Answer, AnswerLocally, Append, Effect, HandBack, Stop
from daybook_command.shard.events import (
    Acknowledged,
    Answered,
    AppendUnknown,
    CommandsArrived,
    TopicRead,
)
from daybook_command.shard.machine import Shard
from daybook_contracts.topics import ORIGIN, Topics
from support.local_commands import arrive_locally, as_local, local, open_shard, ticket
from support.one_shard import arrive, command_at, decide_batch, loaded_snapshot, only_effect, ready_shard, take_over
from support.surroundings import START_US


def created() -> Shard:
    """A shard whose org exists. The next record has the offset 1."""
    shard = open_shard()
    decide_batch(shard, command_at(0, "CREATE_ORG"))
    shard.handle(Acknowledged(0))
    return shard


def kinds(effects: list[Effect]) -> list[type[Effect]]:
    return [type(effect) for effect in effects]


def test_local_commands_are_answered_after_admission_without_a_record_or_a_commit() -> None:
    shard = created()
    effects = shard.handle(loaded_snapshot(arrive_locally(shard, local(1), local(2))))
    assert kinds(effects) == [Append]
    effects = shard.handle(Acknowledged(1))
    assert kinds(effects) == [AnswerLocally]
    replies = only_effect(effects, AnswerLocally).replies
    assert [reply.correlation_id for reply in replies] == [ticket(1), ticket(2)]
    assert [json.loads(reply.value)["position"] for reply in replies] == ["0.1", "0.2"]


def test_a_batch_takes_records_and_local_commands_alternately_and_commits_the_last_offset() -> None:
    shard = created()
    decide_batch(shard, command_at(1))
    arrive(shard, command_at(2), command_at(3))
    arrive_locally(shard, *(local(number) for number in (10, 11, 12)))
    load = shard.handle(Acknowledged(1))
    append = only_effect(shard.handle(loaded_snapshot(load)), Append)
    names = [json.loads(record.value)["metadata_json"]["data"]["name"] for record in append.records]
    assert names == ["name 2", "name 10", "name 3", "name 11", "name 12"]
    effects = shard.handle(Acknowledged(2))
    assert len(only_effect(effects, AnswerLocally).replies) == 3
    assert only_effect(effects, Answer).next_offset == 4


def test_a_local_command_and_its_record_in_one_batch_are_decided_once() -> None:
    shard = created()
    decide_batch(shard, command_at(1))
    arrive(shard, command_at(2))
    arrive_locally(shard, as_local(command_at(2), ticket(2)))
    load = shard.handle(Acknowledged(1))
    append = only_effect(shard.handle(loaded_snapshot(load)), Append)
    assert len(append.records) == 1
    effects = shard.handle(Acknowledged(2))
    assert only_effect(effects, AnswerLocally).replies[0].value == only_effect(effects, Answer).replies[0].value


def test_a_command_with_a_filter_is_deferred_only_by_earlier_commands() -> None:
    connection = "00000000-0000-4000-8000-0000000000cc"
    shard = created()
    decide_batch(shard, command_at(1))
    arrive_locally(shard, local(20))
    arrive(shard, *(command_at(offset) for offset in (2, 3)))
    retry = local(21, "RETRY_DLQ_EVENTS", connection_id=connection, filter={})
    arrive_locally(shard, retry, local(22))
    actions = []
    effects = shard.handle(Acknowledged(1))
    for _ in range(4):
        append = only_effect(shard.handle(loaded_snapshot(effects)), Append)
        actions.append([record.trusted.entry.action for record in append.records])
        effects = shard.handle(Acknowledged(shard.memory.end))
    assert actions == [["RENAME_ORG", "RENAME_ORG"], ["RENAME_ORG"], ["RETRY_DLQ_EVENTS"], ["RENAME_ORG"]]


def test_on_a_takeover_what_was_queued_and_what_was_taken_is_handed_back() -> None:
    shard = created()
    shard.handle(loaded_snapshot(arrive_locally(shard, local(1))))
    arrive_locally(shard, local(2))
    effects = shard.handle(AppendUnknown())
    assert only_effect(effects, HandBack) == HandBack((ticket(2),), (ticket(1),))
    assert not shard.inbox.local.line
    assert not shard.in_flight.arrivals
    assert not shard.takes_local


def test_records_of_the_same_batch_are_not_handed_back() -> None:
    shard = created()
    decide_batch(shard, command_at(1))
    arrive(shard, command_at(2))
    arrive_locally(shard, local(10))
    shard.handle(loaded_snapshot(shard.handle(Acknowledged(1))))
    effects = shard.handle(AppendUnknown())
    assert only_effect(effects, HandBack) == HandBack((), (ticket(10),))
    assert [each.offset for each in shard.inbox.queue] == [2]


def test_a_partition_that_is_given_away_hands_commands_back_and_may_still_finish_its_batch() -> None:
    shard = created()
    shard.handle(loaded_snapshot(arrive_locally(shard, local(1))))
    arrive_locally(shard, local(2))
    assert shard.leave() == [HandBack((ticket(2),), (ticket(1),))]
    assert [each.correlation_id for each in only_effect(shard.handle(Acknowledged(1)), AnswerLocally).replies] == [
        ticket(1)
    ]


def test_a_shard_hands_commands_back_when_it_stops() -> None:
    shard = created()
    shard.handle(loaded_snapshot(arrive_locally(shard, local(1))))
    effects = shard.handle(Acknowledged(0))
    assert kinds(effects) == [HandBack, Stop]
    assert not shard.takes_local


def test_only_a_queued_command_can_be_withdrawn() -> None:
    shard = created()
    arrive_locally(shard, local(1))
    arrive_locally(shard, local(2))
    assert shard.inbox.withdraw({ticket(1), ticket(2)}) == [ticket(2)]
    assert (shard.inbox.local.count, shard.inbox.local.size) == (0, 0)


def test_commands_that_do_not_fit_in_the_batch_are_queued_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shard = created()
    monkeypatch.setattr(batch, "LOG_BATCH_BYTES", 1_000)
    shard.handle(loaded_snapshot(arrive_locally(shard, local(1), local(2))))
    assert shard.inbox.withdraw({ticket(1), ticket(2)}) == [ticket(2)]


def test_a_command_that_crashes_its_decider_becomes_a_dead_letter_of_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    shard = created()
    monkeypatch.setattr(batch, "decide", fails)
    effects = arrive_locally(shard, local(1))
    for _ in range(2):
        effects = shard.handle(loaded_snapshot(effects))
    effects = shard.handle(loaded_snapshot(effects))
    answer = only_effect(effects, Answer)
    assert not [effect for effect in effects if isinstance(effect, AnswerLocally)]
    assert [json.loads(reply.value)["code"] for reply in answer.local] == ["INTERNAL"]
    (letter,) = records_of(Topics("daybook."), 0, answer)
    assert letter.topic == "daybook.commands.dlq"
    assert letter.value == local(1).record.value
    assert dict(letter.headers)[ORIGIN] == b"door"
    assert shard.handle(Answered(answer.next_offset)) == []


def test_the_short_way_opens_when_the_topic_is_decided_up_to_its_end_at_the_takeover() -> None:
    shard = ready_shard()
    assert not shard.takes_local
    shard.handle(TopicRead(0, 0, 2))
    assert not shard.takes_local
    decide_batch(shard, command_at(0, "CREATE_ORG"))
    shard.handle(CommandsArrived([command_at(1)]))
    effects = shard.handle(Acknowledged(0))
    assert not shard.takes_local
    shard.handle(loaded_snapshot(effects))
    shard.handle(Acknowledged(1))
    assert shard.takes_local


def test_the_way_is_closed_while_the_shard_waits() -> None:
    shard = open_shard()
    wrong_clock = loaded_snapshot(arrive_locally(shard, local(1)), now_us=START_US + 3_600_000_000)
    shard.handle(wrong_clock)
    assert not shard.takes_local
    assert shard.inbox.withdraw({ticket(1)}) == [ticket(1)]


def lose(shard: Shard, number: int) -> None:
    """Loses a batch. The shard takes over again, reads the topic's end, and decides the batch again."""
    shard.handle(loaded_snapshot(arrive(shard, command_at(number))))
    shard.handle(AppendUnknown())
    effects = take_over(shard)
    shard.handle(TopicRead(shard.takeovers, 0, 0))
    shard.handle(loaded_snapshot(effects))


def test_two_losses_in_a_row_close_the_way_for_good() -> None:
    shard = open_shard()
    lose(shard, 0)
    shard.handle(AppendUnknown())
    effects = take_over(shard)
    shard.handle(TopicRead(shard.takeovers, 0, 0))
    shard.handle(loaded_snapshot(effects))
    shard.handle(Acknowledged(0))
    assert not shard.takes_local


def test_an_admitted_batch_between_two_losses_keeps_the_way_open() -> None:
    shard = open_shard()
    lose(shard, 0)
    shard.handle(Acknowledged(0))
    assert shard.takes_local
    shard.handle(loaded_snapshot(arrive(shard, command_at(1))))
    shard.handle(AppendUnknown())
    assert not shard.way.closed
