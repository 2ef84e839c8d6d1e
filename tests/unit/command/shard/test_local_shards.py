"""The shards of an instance, as its door sees them: the limits of their queues, and when they take commands."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from daybook_command.engine import local_shards
from daybook_command.engine.assignment import Assignment
from daybook_command.engine.local_shards import LocalShards
from daybook_command.shard.arrivals import size_of
from daybook_command.shard.effects import HandBack
from daybook_command.shard.local_queue import Waiting
from support.local_commands import local, open_shard, ticket
from support.one_shard import ORG

OTHER_ORG = "0b000000-0000-4000-8000-000000000002"


@dataclass
class RecordingDoor:
    back: list[tuple[Sequence[bytes], Sequence[bytes]]] = field(default_factory=list)
    left: list[int] = field(default_factory=list)

    def handed_back(self, queued: Sequence[bytes], taken: Sequence[bytes]) -> None:
        self.back.append((queued, taken))

    def leave(self, partition: int) -> None:
        self.left.append(partition)


@pytest.fixture
def woken() -> list[Assignment]:
    return []


@pytest.fixture
def shards(woken: list[Assignment]) -> LocalShards:
    waiting = Waiting()
    owned = {number: Assignment(open_shard(waiting=waiting), 0.0, started=True) for number in range(2)}
    return LocalShards(owned, woken.append, waiting)


def test_commands_are_queued_at_once_and_their_shard_is_woken(shards: LocalShards, woken: list[Assignment]) -> None:
    shards.queue_local(1, [local(1), local(2)])
    assert woken == [shards.assignments[1]]
    assert shards.withdraw(1, {ticket(2)}) == [ticket(2)]
    assert shards.withdraw(0, {ticket(1)}) == []
    assert shards.withdraw(7, {ticket(1)}) == ()


def test_the_limit_of_commands_counts_all_shards_of_the_process(
    shards: LocalShards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_shards, "MAX_LOCAL", 6)
    shards.queue_local(0, [local(1)])
    shards.queue_local(1, [local(2)])
    assert shards.has_room(0, OTHER_ORG, 2, 0)
    assert not shards.has_room(0, OTHER_ORG, 3, 0)


def test_a_key_may_take_as_much_room_as_it_leaves_free(shards: LocalShards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_shards, "MAX_LOCAL", 6)
    shards.queue_local(0, [local(number) for number in range(3)])
    assert not shards.has_room(0, ORG, 1, 0)
    assert shards.has_room(0, OTHER_ORG, 1, 0)
    shards.withdraw(0, {ticket(0)})
    assert shards.has_room(0, ORG, 1, 0)


async def test_a_wait_for_room_ends_when_commands_leave_the_queues(shards: LocalShards) -> None:
    shards.queue_local(0, [local(1), local(2)])
    for leave in (
        lambda: shards.withdraw(0, {ticket(1)}),
        lambda: shards.hand_back(HandBack((ticket(2),), ())),
        lambda: shards.leave(1),
        shards.queues_shrank,
    ):
        waiting = asyncio.create_task(shards.wait_for_room())
        await asyncio.sleep(0)
        assert not waiting.done()
        leave()
        await asyncio.wait_for(waiting, 5)


def test_the_limit_of_bytes_counts_all_shards_of_the_process(
    shards: LocalShards, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = size_of(local(1).record)
    monkeypatch.setattr(local_shards, "MAX_LOCAL_BYTES", 6 * size)
    shards.queue_local(0, [local(1)])
    shards.queue_local(1, [local(2)])
    assert shards.has_room(0, ORG, 1, size)
    assert not shards.has_room(0, ORG, 1, 2 * size)
    assert shards.has_room(0, OTHER_ORG, 1, 2 * size)


def test_commands_of_a_partition_that_was_given_away_take_no_room(
    shards: LocalShards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_shards, "MAX_LOCAL", 2)
    shards.queue_local(0, [local(1)])
    assert not shards.has_room(1, OTHER_ORG, 1, 0)
    shards.leave(0)
    assert shards.has_room(1, OTHER_ORG, 1, 0)


def test_a_partition_that_is_given_away_takes_no_commands(shards: LocalShards) -> None:
    assert (shards.takes_local(0), shards.decided_to(0)) == (True, 0)
    shards.assignments[0].leaving = True
    assert (shards.takes_local(0), shards.decided_to(0)) == (False, None)
    assert shards.takes_local(1)
    shards.closed = True
    assert not shards.takes_local(1)


def test_a_partition_of_another_instance_takes_no_commands(shards: LocalShards) -> None:
    assert (shards.takes_local(7), shards.decided_to(7)) == (False, None)


def test_the_door_is_told_what_a_shard_hands_back(shards: LocalShards) -> None:
    shards.door = door = RecordingDoor()
    shards.hand_back(HandBack((ticket(1),), (ticket(2),)))
    shards.leave(1)
    assert (door.back, door.left) == ([((ticket(1),), (ticket(2),))], [1])
