"""Commands that choose ids wait until reservations can be relied on; others do not wait for them."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from daybook_command.shard.effects import Answer, Append, Commit, LoadSnapshot
from daybook_command.shard.events import Acknowledged, Answered, EndsRead, TakenOver, Tick
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord
from daybook_contracts.entries.entry import decode_entry
from daybook_contracts.entries.identity import thing_id
from support.one_shard import ANN, NOTHING, ORG, answer_of, arrive, command_at, only
from support.simulation import CONFIG, command_record

OTHER_ORG = str(UUID(int=0xD, version=4))
PROJECT = str(UUID(int=0xABC, version=4))
BEHIND, THERE = {1: 6}, {1: 7}
"""Partition 1 ended at offset 7 when the shard took over."""


def taken_over() -> Shard:
    shard = Shard.of(0, CONFIG)
    shard.start()
    shard.handle(TakenOver(NOTHING, [], 0, 0))
    shard.handle(EndsRead(0, {0: 0, 1: 7}))
    return shard


def sent(offset: int, type_: str, org_id: str = ORG, **data: Any) -> CommandRecord:
    envelope = {"type": type_, "org_id": org_id, "actor_user_id": ANN, "data": data}
    return command_record(offset, {"id": str(UUID(int=offset + 1, version=4)), **envelope})


CHOOSING = sent(1, "CREATE_PROJECT", name="Web", project_id=PROJECT)
BEHIND_IT = sent(2, "RENAME_ORG", name="Later")
ELSEWHERE = sent(3, "CREATE_ORG", OTHER_ORG, name="Other")


def actions(append: Append) -> list[tuple[str, str | None]]:
    return [(entry.action, entry.org_id) for entry in (decode_entry(record.value) for record in append.records)]


def test_a_command_that_chooses_an_id_waits_with_all_of_its_org_behind_it() -> None:
    shard = taken_over()
    effects = arrive(shard, command_at(0, "CREATE_ORG"), CHOOSING, BEHIND_IT, ELSEWHERE)
    load = only(effects, LoadSnapshot)
    assert (load.needs.chosen_ids, load.needs.next_offsets) == ((), True)
    append = only(shard.handle(answer_of(effects, next_offsets=BEHIND)), Append)
    assert actions(append) == [("CREATE_ORG", ORG), ("CREATE_ORG", OTHER_ORG)]


def test_nothing_is_committed_past_a_command_that_waits() -> None:
    shard = taken_over()
    effects = arrive(shard, command_at(0, "CREATE_ORG"), CHOOSING, ELSEWHERE)
    shard.handle(answer_of(effects, next_offsets=BEHIND))
    answer = only(shard.handle(Acknowledged(0)), Answer)
    assert shard.handle(Answered(answer.next_offset)) == [Commit(1)]


def test_what_waited_is_decided_in_its_order_once_all_partitions_are_projected() -> None:
    shard = taken_over()
    effects = arrive(shard, command_at(0, "CREATE_ORG"), CHOOSING, BEHIND_IT, ELSEWHERE)
    shard.handle(answer_of(effects, next_offsets=BEHIND))
    shard.handle(Acknowledged(0))
    effects = shard.handle(Tick())
    assert only(effects, LoadSnapshot).needs.next_offsets
    effects = shard.handle(answer_of(effects, next_offsets=THERE))
    assert only(effects, LoadSnapshot).needs.chosen_ids == (("projects", PROJECT, ORG),)
    append = only(shard.handle(answer_of(effects)), Append)
    assert actions(append) == [("CREATE_PROJECT", ORG), ("RENAME_ORG", ORG)]
    answer = only(shard.handle(Acknowledged(2)), Answer)
    assert answer.next_offset == 4


def test_what_waits_is_looked_after_without_new_commands() -> None:
    shard = taken_over()
    assert arrive(shard, CHOOSING) == []
    effects = shard.handle(Tick())
    assert shard.handle(answer_of(effects, next_offsets=BEHIND)) == []
    effects = shard.handle(answer_of(shard.handle(Tick()), next_offsets=THERE))
    assert only(effects, LoadSnapshot).commands == 1


def test_an_id_that_is_computed_does_not_wait() -> None:
    shard = taken_over()
    effects = arrive(shard, command_at(0, "CREATE_ORG"), sent(1, "CREATE_PROJECT", name="Web"))
    append = only(shard.handle(answer_of(effects, next_offsets=BEHIND)), Append)
    assert decode_entry(append.records[1].value).entity_id == thing_id(ORG, str(UUID(int=2, version=4)))


def test_a_user_who_chooses_an_id_is_refused_at_once() -> None:
    shard = taken_over()
    by_user = tuple(
        (name, f"user:{ANN}".encode() if name == "daybook-principal" else value) for name, value in CHOOSING.headers
    )
    effects = arrive(shard, command_at(0, "CREATE_ORG"), replace(CHOOSING, headers=by_user))
    assert len(only(shard.handle(answer_of(effects, next_offsets=BEHIND)), Append).records) == 2


def test_until_the_ends_are_known_a_command_that_chooses_an_id_waits_and_no_other() -> None:
    shard = Shard.of(0, CONFIG)
    shard.start()
    shard.handle(TakenOver(NOTHING, [], 0, 0))
    effects = arrive(shard, command_at(0, "CREATE_ORG"), CHOOSING)
    assert len(only(shard.handle(answer_of(effects)), Append).records) == 1
    shard.handle(Acknowledged(0))
    assert shard.handle(EndsRead(1, {})) == []
    assert only(shard.handle(EndsRead(0, {})), LoadSnapshot).commands == 1


def test_a_partition_that_is_given_away_is_not_committed_past_what_waited() -> None:
    shard = taken_over()
    effects = arrive(shard, CHOOSING, ELSEWHERE)
    shard.inbox.clear()
    shard.handle(answer_of(effects, next_offsets=BEHIND))
    assert only(shard.handle(Acknowledged(0)), Answer).next_offset == CHOOSING.offset


def test_more_commands_that_choose_ids_than_one_batch_parses_hold_up_nobody() -> None:
    shard = taken_over()
    waiting = [
        sent(at, "CREATE_PROJECT", name="n" * 200, project_id=str(UUID(int=at, version=4))) for at in range(1, 900)
    ]
    elsewhere = replace(ELSEWHERE, offset=900)
    effects = arrive(shard, *waiting, elsewhere)
    while not (appends := [effect for effect in effects if isinstance(effect, Append)]):
        assert effects, "the shard waits for nothing, and has not decided everything that it could"
        effects = shard.handle(answer_of(effects, next_offsets=BEHIND))
    assert actions(appends[0]) == [("CREATE_ORG", OTHER_ORG)]
