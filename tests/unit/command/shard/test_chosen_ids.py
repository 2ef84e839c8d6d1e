"""Commands that choose ids wait until all earlier reservations are in PostgreSQL. Commands of other orgs do not
wait.
"""

from uuid import UUID

from msgspec.structs import replace

from daybook_command.shard.effects import Answer, Append, Commit, LoadSnapshot
from daybook_command.shard.events import Acknowledged, Answered, EndsRead, Tick
from daybook_command.shard.inbox import Inbox
from daybook_command.shard.machine import Shard
from daybook_contracts.entries.entry import decode_entry
from daybook_contracts.entries.identity import thing_id
from daybook_contracts.topics import PRINCIPAL
from support.local_commands import local, ticket
from support.one_shard import (
    ANN,
    ORG,
    arrive,
    command_at,
    loaded_snapshot,
    only_effect,
    sent,
    starting_shard,
    take_over,
)
from support.simulation import CONFIG

OTHER_ORG = str(UUID(int=0xD, version=4))
PROJECT = str(UUID(int=0xABC, version=4))
BEHIND_END, AT_END = {1: 6}, {1: 7}
"""By partition, the next offset to project. The log of partition 1 ended at offset 7 when the shard took over."""


def taken_over() -> Shard:
    shard = starting_shard()
    take_over(shard)
    shard.handle(EndsRead(0, {0: 0, 1: 7}))
    return shard


CHOOSES_ID = sent(1, "CREATE_PROJECT", name="Web", project_id=PROJECT)
LATER_IN_ORG = sent(2, "RENAME_ORG", name="Later")
IN_OTHER_ORG = sent(3, "CREATE_ORG", org_id=OTHER_ORG, name="Other")


def actions(append: Append) -> list[tuple[str, str | None]]:
    return [(entry.action, entry.org_id) for entry in (decode_entry(record.value) for record in append.records)]


def test_a_command_that_chooses_an_id_waits_and_so_do_later_commands_of_its_org() -> None:
    shard = taken_over()
    effects = arrive(shard, command_at(0, "CREATE_ORG"), CHOOSES_ID, LATER_IN_ORG, IN_OTHER_ORG)
    load = only_effect(effects, LoadSnapshot)
    assert (load.needs.chosen_ids, load.needs.next_offsets) == ((), True)
    append = only_effect(shard.handle(loaded_snapshot(effects, next_offsets=BEHIND_END)), Append)
    assert actions(append) == [("CREATE_ORG", ORG), ("CREATE_ORG", OTHER_ORG)]


def test_no_offset_is_committed_past_a_waiting_command() -> None:
    shard = taken_over()
    effects = arrive(shard, command_at(0, "CREATE_ORG"), CHOOSES_ID, IN_OTHER_ORG)
    shard.handle(loaded_snapshot(effects, next_offsets=BEHIND_END))
    answer = only_effect(shard.handle(Acknowledged(0)), Answer)
    assert shard.handle(Answered(answer.next_offset)) == [Commit(1)]


def test_waiting_commands_are_decided_in_order_when_all_partitions_are_projected() -> None:
    shard = taken_over()
    effects = arrive(shard, command_at(0, "CREATE_ORG"), CHOOSES_ID, LATER_IN_ORG, IN_OTHER_ORG)
    shard.handle(loaded_snapshot(effects, next_offsets=BEHIND_END))
    shard.handle(Acknowledged(0))
    effects = shard.handle(Tick())
    assert only_effect(effects, LoadSnapshot).needs.next_offsets
    effects = shard.handle(loaded_snapshot(effects, next_offsets=AT_END))
    assert only_effect(effects, LoadSnapshot).needs.chosen_ids == (("projects", PROJECT, ORG),)
    append = only_effect(shard.handle(loaded_snapshot(effects)), Append)
    assert actions(append) == [("CREATE_PROJECT", ORG), ("RENAME_ORG", ORG)]
    answer = only_effect(shard.handle(Acknowledged(2)), Answer)
    assert answer.next_offset == 4


def test_waiting_commands_proceed_without_new_commands() -> None:
    shard = taken_over()
    assert arrive(shard, CHOOSES_ID) == []
    effects = shard.handle(Tick())
    assert shard.handle(loaded_snapshot(effects, next_offsets=BEHIND_END)) == []
    effects = shard.handle(loaded_snapshot(shard.handle(Tick()), next_offsets=AT_END))
    assert only_effect(effects, LoadSnapshot).commands == 1


def test_a_withdrawn_command_does_not_make_later_ones_of_its_org_wait_at_the_next_takeover() -> None:
    inbox = Inbox(0, CONFIG.partitions, 128)
    inbox.add_local([local(1, "CREATE_PROJECT", name="Web", project_id=PROJECT)])
    assert inbox.take(set_aside=True)[0] == []
    assert inbox.withdraw({ticket(1)}) == [ticket(1)]
    inbox.requeue_aside()
    inbox.add_local([local(2)])
    assert len(inbox.take(set_aside=True)[0]) == 1


def test_a_command_with_a_computed_id_does_not_wait() -> None:
    shard = taken_over()
    effects = arrive(shard, command_at(0, "CREATE_ORG"), sent(1, "CREATE_PROJECT", name="Web"))
    append = only_effect(shard.handle(loaded_snapshot(effects, next_offsets=BEHIND_END)), Append)
    assert decode_entry(append.records[1].value).entity_id == thing_id(ORG, str(UUID(int=2, version=4)))


def test_a_user_who_chooses_an_id_is_rejected_at_once() -> None:
    shard = taken_over()
    headers = dict(CHOOSES_ID.headers) | {PRINCIPAL: f"user:{ANN}".encode()}
    by_user = replace(CHOOSES_ID, headers=tuple(headers.items()))
    effects = arrive(shard, command_at(0, "CREATE_ORG"), by_user)
    assert len(only_effect(shard.handle(loaded_snapshot(effects, next_offsets=BEHIND_END)), Append).records) == 2


def test_only_commands_that_choose_ids_wait_until_the_ends_of_the_log_are_known() -> None:
    shard = starting_shard()
    take_over(shard)
    effects = arrive(shard, command_at(0, "CREATE_ORG"), CHOOSES_ID)
    assert len(only_effect(shard.handle(loaded_snapshot(effects)), Append).records) == 1
    shard.handle(Acknowledged(0))
    assert shard.handle(EndsRead(1, {})) == []
    assert only_effect(shard.handle(EndsRead(0, {})), LoadSnapshot).commands == 1


def test_a_revoked_partition_is_not_committed_past_a_waiting_command() -> None:
    shard = taken_over()
    effects = arrive(shard, CHOOSES_ID, IN_OTHER_ORG)
    shard.inbox.clear()
    shard.handle(loaded_snapshot(effects, next_offsets=BEHIND_END))
    assert only_effect(shard.handle(Acknowledged(0)), Answer).next_offset == CHOOSES_ID.offset


def test_more_than_a_batch_of_waiting_commands_does_not_delay_other_orgs() -> None:
    shard = taken_over()
    ids = [str(UUID(int=at, version=4)) for at in range(1, 900)]
    waiting = [sent(at, "CREATE_PROJECT", name="n" * 200, project_id=id_) for at, id_ in enumerate(ids, start=1)]
    elsewhere = replace(IN_OTHER_ORG, offset=900)
    effects = arrive(shard, *waiting, elsewhere)
    while not (appends := [effect for effect in effects if isinstance(effect, Append)]):
        assert effects, "the shard asks for nothing more, but has not decided the other org's command"
        effects = shard.handle(loaded_snapshot(effects, next_offsets=BEHIND_END))
    assert actions(appends[0]) == [("CREATE_ORG", OTHER_ORG)]
