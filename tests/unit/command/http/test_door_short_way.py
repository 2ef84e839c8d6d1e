"""The HTTP door and a shard of its own instance: which commands the door gives to the shard in memory (the short way,
docs/architecture.md), and which it publishes after all. Over 250 lines, because the rules depend on each other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from daybook_client.kafka.command_publisher import CommandToSend, Fate, Receipt
from daybook_command.shard.intake import RefusedCommand, SentCommand, classify
from daybook_command.shard.records import CommandRecord
from daybook_contracts.limits import ENVELOPE_VALUES
from daybook_contracts.results import encode_record
from daybook_contracts.routing import partition_of
from daybook_contracts.senders.policy import Grant, ServicePolicy
from daybook_contracts.senders.sender_rules import SenderRules
from daybook_contracts.topics import DOOR
from support.chain import Json
from support.command_strategies import envelopes
from support.door_doubles import OTHER, USER, DoorAlone, accepted, problem_of, rename, undecided
from support.driving import eventually
from support.held_shards import HeldShards

DOOR_KEY = "the-key-of-the-door-32-characters"
SERVICE = "service:billing"
ANYTHING = ServicePolicy({"billing": Grant(None, None, act_for_users=True)}, (DOOR_KEY.encode(),))
IDS = [f"01890000-0000-7000-8000-{number:012}" for number in range(10)]


def door_with(shards: HeldShards, **changes: Any) -> DoorAlone:
    door = DoorAlone(shards=shards, **changes)
    door.kafka.decide = undecided
    return door


@pytest.fixture
def shards() -> HeldShards:
    return HeldShards()


def answer(door: DoorAlone, command: SentCommand, envelope: Json) -> None:
    door.replies.resolve((command.reply_to.correlation_id or b"").decode(), encode_record(accepted(envelope)))


async def begun(send: Callable[[], Any], shards: HeldShards, count: int = 1) -> "asyncio.Task[Any]":
    """Starts the request, and returns its task when the door has given the shards `count` more commands."""
    expected = len(shards.given) + count
    task = asyncio.create_task(send())
    await eventually(lambda: _reached(shards.given, expected))
    return task


async def _reached(things: Sequence[object], count: int) -> bool:
    return len(things) >= count


async def test_a_command_is_answered_by_the_shard_without_being_published(shards: HeldShards) -> None:
    door = door_with(shards, wait_seconds=30)
    request = await begun(lambda: door.send(rename()), shards)
    answer(door, shards.given[0], rename())
    got: httpx.Response = await request
    assert (got.status_code, got.json()["position"]) == (200, "6.7")
    assert door.kafka.records == []


async def test_respond_async_always_publishes(shards: HeldShards) -> None:
    door = door_with(shards)
    assert (await door.send(rename(), prefer="respond-async")).status_code == 202
    assert (len(door.kafka.records), shards.given) == (1, [])


async def test_where_the_way_is_closed_commands_are_published(shards: HeldShards) -> None:
    shards.open = False
    door = door_with(shards)
    assert (await door.send(rename())).status_code == 202
    assert (len(door.kafka.records), shards.given) == (1, [])


async def test_a_command_without_room_in_the_queues_is_refused_and_not_published(shards: HeldShards) -> None:
    shards.room = 1
    door = door_with(shards)
    sent = [rename(id=IDS[0]), rename(id=IDS[1]), rename(id=IDS[2], org_id=OTHER)]
    items = (await door.send_batch(sent)).json()
    assert [item["status"] for item in items] == [503, 503, 202]
    assert "nothing was done" in items[0]["detail"]
    assert [command["id"] for command in door.kafka.commands] == [IDS[2]]
    single = await door_with(HeldShards(room=0)).send(rename())
    assert problem_of(single) == (503, "UNAVAILABLE")
    assert single.headers["retry-after"]


async def test_a_batch_waits_until_the_queues_have_room_for_all_commands_of_a_key(shards: HeldShards) -> None:
    shards.room = 2
    door = door_with(shards, wait_seconds=240)
    others = [rename(id=IDS[2], org_id=OTHER), rename(id=IDS[3], org_id=IDS[9])]
    sent = [*(rename(id=id_) for id_ in IDS[:2]), *others]
    request = await begun(lambda: door.send_batch(sent), shards, 2)
    shards.take()
    await eventually(lambda: _reached(shards.given, 4))
    for command, envelope in zip(shards.given, sent, strict=True):
        answer(door, command, envelope)
    assert [item["status"] for item in (await request).json()] == [200] * 4
    assert door.kafka.records == []


async def test_items_of_a_batch_wait_for_room_even_if_one_names_an_unseen_user(shards: HeldShards) -> None:
    shards.room = 1
    door = door_with(shards, wait_seconds=240)
    door.users.known = {USER}
    added = rename(id=IDS[2], type="ADD_MEMBER", org_id=OTHER, data={"user_id": OTHER, "role": "member"})
    sent = [rename(id=IDS[0]), rename(id=IDS[1]), added]
    single = await begun(lambda: door.send(sent[0]), shards)
    batch = asyncio.create_task(door.send_batch(sent[1:]))
    for count in (1, 2):
        await eventually(partial(_reached, shards.waits, count))
        assert shards.waits == list(range(1, count + 1))
        shards.take()
    await eventually(lambda: _reached(shards.given, 3))
    for command, envelope in zip(shards.given, sent, strict=True):
        answer(door, command, envelope)
    assert [item["status"] for item in (await batch).json()] == [200, 200]
    assert (await single).status_code == 200


async def test_a_batch_that_waits_for_room_is_published_if_the_way_closes(shards: HeldShards) -> None:
    shards.room = 1
    door = door_with(shards, wait_seconds=240)
    door.kafka.decide = accepted
    sent = [rename(id=IDS[0], org_id=OTHER), *(rename(id=id_) for id_ in IDS[1:3])]
    request = await begun(lambda: door.send_batch(sent), shards)
    shards.open = False
    shards.take()
    await eventually(lambda: _reached(door.kafka.records, 2))
    answer(door, shards.given[0], sent[0])
    assert [item["status"] for item in (await request).json()] == [200] * 3
    assert [command["id"] for command in door.kafka.commands] == IDS[1:3]


async def test_after_half_the_wait_the_command_is_published_as_it_is_and_answered_with_202(shards: HeldShards) -> None:
    door = door_with(shards)
    assert (await door.send(rename())).status_code == 202
    (record,) = door.kafka.records
    kept = shards.given[0].record
    assert (record.key, record.value, tuple(record.headers)) == (kept.key, kept.value, kept.headers)


async def test_commands_of_all_keys_leave_the_queue_of_a_partition_together() -> None:
    asked = []

    class Withdrawing(HeldShards):
        def withdraw(self, partition: int, tickets: Collection[bytes]) -> Collection[bytes]:
            asked.append(partition)
            return HeldShards.withdraw(self, partition, tickets)

    shards = Withdrawing()
    door = door_with(shards, partitions=2)
    await door.send_batch([rename(id=id_, org_id=id_) for id_ in IDS])
    assert sorted(asked) == [0, 1]
    assert len(door.kafka.records) == len(IDS)


async def test_all_unanswered_commands_of_the_key_fall_back_in_order(shards: HeldShards) -> None:
    door = door_with(shards, wait_seconds=30)
    first = await begun(lambda: door.send_batch([rename(id=id_) for id_ in IDS[:2]]), shards, 2)
    shards.take()
    second = await begun(lambda: door.send(rename(id=IDS[2])), shards)
    answer(door, shards.given[0], rename(id=IDS[0]))
    door.deliveries.handed_back([next(iter(shards.queued))], [])
    await eventually(lambda: _reached(door.kafka.records, 1))
    assert [command["id"] for command in door.kafka.commands] == [IDS[1], IDS[2]]
    for number in (1, 2):
        answer(door, shards.given[number], rename(id=IDS[number]))
    assert [item["status"] for item in (await first).json()] == [200, 200]
    assert (await second).status_code == 200


async def test_what_is_handed_back_is_published_at_once(shards: HeldShards) -> None:
    door = door_with(shards, wait_seconds=3600)
    door.kafka.decide = accepted
    request = await begun(lambda: door.send(rename()), shards)
    door.deliveries.handed_back(list(shards.queued), [])
    assert (await request).status_code == 200
    assert len(door.kafka.records) == 1


@pytest.mark.parametrize(("taken", "text"), [(False, "nothing was done"), (True, "may or may not be decided")])
async def test_an_answer_says_that_nothing_was_done_only_if_no_batch_took_the_command(
    shards: HeldShards, text: str, *, taken: bool
) -> None:
    door = door_with(shards, wait_seconds=0.4)
    door.kafka.fate = Fate.NOTHING_DONE
    request = await begun(lambda: door.send(rename()), shards)
    if taken:
        shards.take()
    got = await request
    assert problem_of(got) == (503, "UNAVAILABLE")
    assert text in got.json()["detail"]


async def test_while_a_published_command_is_undecided_later_ones_of_its_key_are_published(shards: HeldShards) -> None:
    door = door_with(shards)
    await door.send(rename(id=IDS[0]), prefer="respond-async")
    await door.send(rename(id=IDS[1]))
    assert (len(door.kafka.records), shards.given) == (2, [])
    await door.send(rename(id=IDS[2], org_id=OTHER))
    assert len(shards.given) == 1
    shards.decided = 2  # the first two were published at offsets 0 and 1
    await door.send(rename(id=IDS[3]))
    assert [each.command.id for each in shards.given] == [IDS[2], IDS[3]]


@dataclass
class BlockedKafka:
    """Acknowledges nothing before `released` is set."""

    taken: list[CommandToSend] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def hand_over(self, records: Iterable[CommandToSend], count: int) -> Awaitable[list[Receipt]]:
        self.taken += records
        return self._receipts(count)

    async def _receipts(self, count: int) -> list[Receipt]:
        await self.released.wait()
        return [Receipt(Fate.PUBLISHED, 0)] * count


async def test_while_a_command_is_being_published_later_ones_of_its_key_are_published(shards: HeldShards) -> None:
    kafka = BlockedKafka()
    shards.decided = 1_000
    door = door_with(shards, publishing=lambda _: kafka)
    first = asyncio.create_task(door.send(rename(id=IDS[0]), prefer="respond-async"))
    await eventually(lambda: _reached(kafka.taken, 1))
    second = asyncio.create_task(door.send(rename(id=IDS[1])))
    await eventually(lambda: _reached([*kafka.taken, *shards.given], 2))
    assert shards.given == []
    kafka.released.set()
    assert [(await each).status_code for each in (first, second)] == [202, 202]


@dataclass
class PausingKafka(BlockedKafka):
    """Takes the first record of a call at once, and the others after `resumed` is set."""

    resumed: asyncio.Event = field(default_factory=asyncio.Event)

    async def hand_over(self, records: Iterable[CommandToSend], count: int) -> Awaitable[list[Receipt]]:
        for number, record in enumerate(records):
            if number:
                await self.resumed.wait()
            self.taken.append(record)
        return self._receipts(count)


async def test_no_command_overtakes_those_of_its_key_that_are_being_published(shards: HeldShards) -> None:
    kafka = PausingKafka()
    door = door_with(shards, publishing=lambda _: kafka)
    batch = asyncio.create_task(door.send_batch([rename(id=id_) for id_ in IDS[:3]], prefer="respond-async"))
    await eventually(lambda: _reached(kafka.taken, 1))
    single = asyncio.create_task(door.send(rename(id=IDS[3])))
    other = asyncio.create_task(door.send(rename(id=IDS[4], org_id=OTHER), prefer="respond-async"))
    await eventually(lambda: _reached(kafka.taken, 2))
    kafka.resumed.set()
    kafka.released.set()
    await asyncio.gather(batch, single, other)
    assert [orjson.loads(record.value)["id"] for record in kafka.taken] == [IDS[n] for n in (0, 4, 1, 2, 3)]


async def test_a_command_whose_turn_does_not_come_in_time_is_refused(
    shards: HeldShards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daybook_command.http.deliveries.TURN_SECONDS", 0.05)
    kafka = PausingKafka()
    door = door_with(shards, publishing=lambda _: kafka)
    batch = asyncio.create_task(door.send_batch([rename(id=id_) for id_ in IDS[:2]], prefer="respond-async"))
    await eventually(lambda: _reached(kafka.taken, 1))
    single = await door.send(rename(id=IDS[2]))
    assert problem_of(single) == (503, "UNAVAILABLE")
    assert "nothing was done" in single.json()["detail"]
    kafka.resumed.set()
    kafka.released.set()
    assert [item["status"] for item in (await batch).json()] == [202, 202]


async def test_an_unknown_publish_closes_the_way_for_its_key_until_a_later_one_is_known(shards: HeldShards) -> None:
    shards.decided = 1_000
    door = door_with(shards)
    door.kafka.fate = Fate.UNKNOWN
    await door.send(rename(id=IDS[0]), prefer="respond-async")
    door.kafka.fate = Fate.PUBLISHED
    await door.send(rename(id=IDS[1]))
    assert shards.given == []
    await door.send(rename(id=IDS[2]))
    assert [each.command.id for each in shards.given] == [IDS[2]]


async def test_a_published_command_is_preceded_by_those_of_its_key_that_a_shard_holds(shards: HeldShards) -> None:
    door = door_with(shards, wait_seconds=30)
    first = await begun(lambda: door.send(rename(id=IDS[0])), shards)
    await door.send(rename(id=IDS[1]), prefer="respond-async")
    assert [command["id"] for command in door.kafka.commands] == [IDS[0], IDS[1]]
    answer(door, shards.given[0], rename(id=IDS[0]))
    assert (await first).status_code == 200


@pytest.mark.parametrize("policy", [None, ANYTHING], ids=["without a policy", "with a policy"])
def test_a_shard_gets_what_it_would_read_from_the_published_record(policy: ServicePolicy | None) -> None:
    """After half the wait the door also publishes the command that it gave to the shard. The test compares the two."""
    shards = HeldShards(decided=1_000_000)
    door = door_with(shards, policy=policy, door_key=DOOR_KEY, wait_seconds=0.001, rate=1e9, burst=10**9)
    partitions = door.settings.partitions
    rules = SenderRules(policy, door.settings.secret_ref_prefix)
    given_back = 0

    with asyncio.Runner() as runner:

        @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(envelopes(), st.booleans(), st.booleans())
        def compare(envelope: Json, by_user: bool, traced: bool) -> None:  # noqa: FBT001 - hypothesis's arguments
            nonlocal given_back
            shards.given.clear()
            door.kafka.calls.clear()
            actor = envelope["actor_user_id"]
            principal = f"user:{actor.lower()}" if by_user and actor else SERVICE
            headers = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"} if traced else {}
            runner.run(door.send(envelope, principal, **headers))
            if not shards.given:
                assert door.kafka.records == []
                return
            (handed,), (record,) = shards.given, door.kafka.records
            published = CommandRecord(0, record.key, record.value, tuple(record.headers), 0)
            home = partition_of(handed.command.key, partitions)
            assert record.partition == home
            assert classify(published, home, partitions, rules) == replace(handed, record=published)
            given_back += 1

        compare()
    assert given_back > 20


@pytest.mark.parametrize("principal", [f"user:{USER}", SERVICE])
async def test_values_that_the_door_adds_do_not_count_towards_the_limit(principal: str) -> None:
    """`id`, `org_id` and `actor_user_id` are in the published record even if the sender has left them out."""
    door = door_with(HeldShards())
    command: Json = {"type": "RECORD_DLQ_EVENT", "org_id": OTHER, "data": {"connection_id": OTHER, "payload": []}}
    values = 6  # the two objects, the type, the two ids and the payload
    for extra, status in ((0, 202), (1, 400)):
        command["data"]["payload"] = [0] * (ENVELOPE_VALUES - values + extra)
        assert (await door.send(command, principal, prefer="respond-async")).status_code == status
    (record,) = door.kafka.records
    published = CommandRecord(0, record.key, record.value, tuple(record.headers), 0)
    home = partition_of(OTHER, door.settings.partitions)
    assert isinstance(classify(published, home, door.settings.partitions), SentCommand)
    of_a_sender = replace(published, headers=tuple(each for each in published.headers if each[0] != DOOR))
    assert isinstance(classify(of_a_sender, home, door.settings.partitions), RefusedCommand)
