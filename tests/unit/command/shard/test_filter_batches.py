"""A bulk command with a filter is the only command of its org in its batch, because it is decided from matches that are
loaded before the batch is decided. Other orgs' commands can be in the same batch.
"""

from uuid import UUID

from msgspec.structs import replace

from daybook_command.shard.arrivals import offsets_of
from daybook_command.shard.effects import Append, LoadSnapshot
from daybook_command.shard.events import Acknowledged
from daybook_command.shard.inbox import Inbox
from daybook_command.shard.records import CommandRecord
from support.one_shard import (
    ANN,
    ORG,
    arrive,
    command_at,
    decide_batch,
    loaded_snapshot,
    only_effect,
    ready_shard,
    sent,
)
from support.simulation import CONFIG

OTHER_ORG = str(UUID(int=0xD, version=4))
EVE = str(UUID(int=0xE, version=4))
CONNECTION = str(UUID(int=0xCC, version=4))


def rename(offset: int, org_id: str = ORG) -> CommandRecord:
    return sent(offset, "RENAME_ORG", org_id=org_id, name="x")


def retry(offset: int, org_id: str = ORG, by: str = ANN) -> CommandRecord:
    return sent(offset, "RETRY_DLQ_EVENTS", by, org_id, connection_id=CONNECTION, filter={})


def batches(*records: CommandRecord) -> list[list[int]]:
    inbox, found = Inbox(0, 1, 500), []
    inbox.add(records)
    while inbox:
        taken, _ = inbox.take()
        found.append(offsets_of(taken))
    assert inbox.size == 0
    return found


def test_a_filter_shares_no_batch_with_other_commands_of_its_org() -> None:
    assert batches(rename(0), retry(1), rename(2)) == [[0], [1], [2]]


def test_many_filters_of_one_org_do_not_delay_other_orgs() -> None:
    others = [rename(at, OTHER_ORG) for at in (20, 21)]
    assert batches(*(retry(at) for at in range(3)), *others) == [[0, 20, 21], [1], [2]]


def test_filters_of_several_orgs_share_a_batch_up_to_a_limit() -> None:
    orgs = [str(UUID(int=0x100 + at, version=4)) for at in range(7)]
    found = batches(*(retry(at, org_id) for at, org_id in enumerate(orgs)))
    assert found == [[0, 1, 2, 3, 4], [5, 6]]


def test_filters_of_strangers_share_a_batch_with_later_commands() -> None:
    shard = ready_shard(replace(CONFIG, max_commands=500))
    decide_batch(shard, command_at(0, "CREATE_ORG"))
    shard.handle(Acknowledged(0))
    by_stranger = [retry(at, by=EVE) for at in range(1, 20)]
    effects = arrive(shard, *by_stranger, rename(20))
    assert only_effect(effects, LoadSnapshot).needs.orgs[0].filtered is None
    assert len(only_effect(shard.handle(loaded_snapshot(effects)), Append).records) == 20


def test_a_filter_of_a_user_added_in_the_same_batch_waits_for_a_separate_batch() -> None:
    shard = ready_shard()
    decide_batch(shard, command_at(0, "CREATE_ORG"))
    shard.handle(Acknowledged(0))
    effects = arrive(shard, sent(1, "ADD_MEMBER", user_id=EVE, role="admin"), retry(2, by=EVE))
    loaded = loaded_snapshot(effects, known_users=frozenset({ANN, EVE}))
    assert len(only_effect(shard.handle(loaded), Append).records) == 1
    effects = shard.handle(Acknowledged(1))
    assert only_effect(effects, LoadSnapshot).needs.orgs[0].filtered is not None


def test_no_offset_is_committed_past_a_command_left_for_the_next_batch() -> None:
    inbox = Inbox(0, 1, 500)
    inbox.add([retry(0), retry(1), rename(2, OTHER_ORG)])
    taken, _ = inbox.take()
    assert [record.offset for record in taken] == [0, 2]
    assert inbox.mark_decided(taken) == 1
    inbox.put_back(taken[1:])
    assert [record.offset for record in inbox.queue] == [1, 2]


def test_a_record_that_waits_for_a_later_batch_is_parsed_once() -> None:
    inbox = Inbox(0, 1, 500)
    inbox.add(retry(at) for at in range(3))
    inbox.take()
    waiting = dict(inbox.deferred)
    _, taken = inbox.take()
    assert taken == [waiting[1]]
    assert taken[0] is waiting[1]
    inbox.clear()
    assert not inbox.deferred
