"""A filter meets its org as it is: alone of its org in a batch, and other orgs' commands do not wait for it."""

from typing import Any
from uuid import UUID

from daybook_command.shard.inbox import Inbox
from daybook_command.shard.messages import CommandRecord
from support.one_shard import ANN, ORG
from support.simulation import command_record

OTHER_ORG = str(UUID(int=0xD, version=4))
CONNECTION = str(UUID(int=0xCC, version=4))


def sent(offset: int, type_: str, org_id: str = ORG, **data: Any) -> CommandRecord:
    envelope = {"type": type_, "org_id": org_id, "actor_user_id": ANN, "data": data}
    return command_record(offset, {"id": str(UUID(int=offset + 1, version=4)), **envelope})


def rename(offset: int, org_id: str = ORG) -> CommandRecord:
    return sent(offset, "RENAME_ORG", org_id, name="x")


def retry(offset: int, org_id: str = ORG) -> CommandRecord:
    return sent(offset, "RETRY_DLQ_EVENTS", org_id, connection_id=CONNECTION, filter={})


def batches(*records: CommandRecord) -> list[list[int]]:
    inbox, found = Inbox(0, 1, 500), []
    inbox.add(records)
    while inbox:
        taken, _ = inbox.take_records()
        found.append([record.offset for record in taken])
    assert inbox.size == 0
    return found


def test_a_filter_is_alone_of_its_org() -> None:
    assert batches(rename(0), retry(1), rename(2)) == [[0], [1], [2]]


def test_many_filters_of_one_org_hold_up_no_other() -> None:
    others = [rename(at, OTHER_ORG) for at in (20, 21)]
    assert batches(*(retry(at) for at in range(3)), *others) == [[0, 20, 21], [1], [2]]


def test_filters_of_several_orgs_share_a_batch_up_to_a_bound() -> None:
    orgs = [str(UUID(int=0x100 + at, version=4)) for at in range(7)]
    found = batches(*(retry(at, org_id) for at, org_id in enumerate(orgs)))
    assert found == [[0, 1, 2, 3, 4], [5, 6]]


def test_nothing_is_committed_past_a_command_that_was_left_for_the_next_batch() -> None:
    inbox = Inbox(0, 1, 500)
    inbox.add([retry(0), retry(1), rename(2, OTHER_ORG)])
    taken, _ = inbox.take_records()
    assert [record.offset for record in taken] == [0, 2]
    assert inbox.decided(taken) == 1
    inbox.put_back(taken[1:])
    assert [record.offset for record in inbox.queue] == [1, 2]
