"""Delivers checked commands: gives them in memory to shards of this instance where the short way is open, and publishes
the others. `ShortWay` has the rules; this module has the tasks and the waiting.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Collection, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from msgspec import Struct

from daybook_client.kafka.awaited_replies import AwaitedReplies
from daybook_client.kafka.command_publisher import CommandToSend, Fate, Receipt
from daybook_command.http.key_turns import KeyTurns, Turn
from daybook_command.metrics import DOOR_FALLBACKS, DOOR_PUBLISHED
from daybook_command.shard.intake import SentCommand
from daybook_command.shard.records import DoorRecord
from daybook_command.shard.short_way import UNKNOWN_OFFSET, LocalCommand, Offer, OwnShards, ShortWay
from daybook_contracts.commands.registry import Command
from daybook_contracts.limits import ENVELOPE_BYTES

# How long a call that publishes waits, at most, for earlier calls with the same keys, so that their records come first.
TURN_SECONDS: Final = 5.0


class Publisher(Protocol):
    async def hand_over(self, records: Iterable[CommandToSend], count: int) -> Awaitable[Sequence[Receipt]]:
        """Gives the records to the producer, in order. The receipts come from the returned awaitable."""


class DoorShards(OwnShards, Protocol):
    async def wait_for_room(self) -> None:
        """Waits until commands have left the queues."""


class Delivery(Struct, eq=False):
    """One command on its way. `key`: its routing key. `replies`: those that its request awaits; None if the caller does
    not wait. `place`: the command's place in its request. `fate`: what is known of the command while it has no answer.
    `refused`: the queues are full, and nothing was done. `local`: set if a shard holds or held the command.
    `publishing`: the task that publishes it after all.
    """

    command: Command
    key: str
    replies: AwaitedReplies | None
    place: int
    partition: int
    record: DoorRecord
    sent: SentCommand
    fate: Fate = Fate.NOTHING_DONE
    refused: bool = False
    local: LocalCommand | None = None
    publishing: "asyncio.Task[None] | None" = None

    @property
    def ticket(self) -> bytes:
        """The id by which a shard knows the command; empty if nobody waits for its answer."""
        return self.sent.reply_to.correlation_id or b""

    @property
    def answer(self) -> bytes | None:
        return None if self.replies is None else self.replies.values[self.place]


class Deliveries:
    """Delivers the commands of this door, and keeps track of those that shards of this instance hold."""

    def __init__(self, publisher: Publisher, shards: DoorShards) -> None:
        self._publisher = publisher
        self._shards = shards
        self._short_way = ShortWay(shards)
        self._held: dict[bytes, Delivery] = {}
        self._turns = KeyTurns()
        self._tasks: set[asyncio.Task[None]] = set()

    async def deliver(self, deliveries: Sequence[Delivery], room_seconds: float) -> None:
        """Returns when each command is with a shard, refused, or published. Commands of a key keep their order. If the
        queues are full, the commands wait for up to `room_seconds`.
        """
        by_key: defaultdict[str, list[Delivery]] = defaultdict(list)
        for each in deliveries:
            by_key[each.key].append(each)
        offers = {key: self._offer(group) for key, group in by_key.items()}
        if Offer.PUBLISH in offers.values():
            await self._publish([each for each in deliveries if offers[each.key] is Offer.PUBLISH])
        if Offer.FULL in offers.values():
            deadline = time.monotonic() + room_seconds
            for key in [key for key, offer in offers.items() if offer is Offer.FULL]:
                await self._offer_until(deadline, by_key[key])

    async def _offer_until(self, deadline: float, group: Sequence[Delivery]) -> None:
        """Offers commands of one key again, whenever there is more room, and refuses them after the deadline."""
        while (offer := self._offer(group)) is Offer.FULL and (seconds := deadline - time.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._shards.wait_for_room(), seconds)
        if offer is Offer.PUBLISH:
            await self._publish(group)
        for each in group:
            each.refused = offer is Offer.FULL

    async def fall_back(self, waiting: Sequence[Delivery]) -> None:
        """Publishes these commands after all, with all unanswered commands of their keys, because half of their wait is
        over. Returns when they are published, or cannot be.
        """
        keys = dict.fromkeys(each.key for each in waiting if each.publishing is None)
        self._start_publishing(self._fall_back(keys, "half_wait"))
        tasks = {each.publishing for each in waiting if each.publishing is not None}
        if tasks:
            # Shielded, because other requests wait for these tasks too.
            await asyncio.shield(asyncio.gather(*tasks))

    def is_under_way(self, key: str) -> bool:
        """Whether a command of this key is being published, or a shard holds one."""
        return key in self._short_way.publishing or key in self._short_way.tickets

    def settle(self, delivery: Delivery) -> None:
        """The request ends, so nobody waits for this command any more."""
        if delivery.local is not None:
            self._short_way.settle(delivery.local)
            self._held.pop(delivery.local.ticket, None)

    def handed_back(self, queued: Sequence[bytes], taken: Sequence[bytes]) -> None:
        """A shard hands commands back."""
        for ticket in list(self._held):
            self._settle_answered(ticket)
        self._start_publishing(self._fallen_back(self._short_way.handed_back(queued, taken), "handed_back"))

    def leave(self, partition: int) -> None:
        self._short_way.leave(partition)

    async def stop(self) -> None:
        """Waits until all commands that have fallen back are published, or cannot be."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _offer(self, group: Sequence[Delivery]) -> Offer:
        """Offers commands of one key to their shard."""
        partition = group[0].partition
        if not self._short_way.is_open(partition, group[0].key) or any(map(_must_publish, group)):
            return Offer.PUBLISH
        commands = [LocalCommand(partition, each.key, each.ticket, each.record, each.sent) for each in group]
        offer = self._short_way.offer(partition, commands)
        if offer is Offer.TAKEN:
            for each, command in zip(group, commands, strict=True):
                each.local, each.fate = command, Fate.UNKNOWN
                self._held[command.ticket] = each
        return offer

    async def _publish(self, deliveries: Sequence[Delivery]) -> None:
        """Publishes the commands and, ahead of them, those of the same keys that shards hold."""
        held = self._fall_back(dict.fromkeys(each.key for each in deliveries), "order")
        if held:  # in a task of its own, because other requests wait for it too
            await asyncio.shield(self._spawn([*held, *deliveries]))
        else:
            await self._begin_publishing(deliveries)

    def _fall_back(self, keys: Collection[str], reason: str) -> list[Delivery]:
        for ticket in [ticket for key in keys for ticket in self._short_way.tickets.get(key, ())]:
            self._settle_answered(ticket)
        return self._fallen_back(self._short_way.fall_back(keys), reason)

    def _settle_answered(self, ticket: bytes) -> None:
        delivery = self._held.get(ticket)
        if delivery is not None and delivery.answer is not None:
            self.settle(delivery)

    def _fallen_back(self, commands: Sequence[LocalCommand], reason: str) -> list[Delivery]:
        DOOR_FALLBACKS.labels(reason).inc(len(commands))
        return [self._held.pop(each.ticket) for each in commands]

    def _start_publishing(self, deliveries: Sequence[Delivery]) -> None:
        """Starts one task for each partition, because each partition has its own acknowledgements."""
        by_partition: defaultdict[int, list[Delivery]] = defaultdict(list)
        for each in deliveries:
            by_partition[each.partition].append(each)
        for group in by_partition.values():
            self._spawn(group)

    def _spawn(self, deliveries: Sequence[Delivery]) -> "asyncio.Task[None]":
        task = asyncio.create_task(self._begin_publishing(deliveries), name="fallback")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        for each in deliveries:
            each.publishing = task
        return task

    def _begin_publishing(self, deliveries: Sequence[Delivery]) -> Coroutine[Any, Any, None]:
        """From now on, later commands of these keys come after these. The caller must await the returned object."""
        keys = {each.key for each in deliveries}
        self._short_way.begin_publishing(keys)
        return self._publish_begun(deliveries, self._turns.join(keys))

    async def _publish_begun(self, deliveries: Sequence[Delivery], turn: Turn) -> None:
        """Publishes the commands in the given order, and notes their fates."""
        offsets: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        for each in deliveries:
            offsets[each.partition, each.key].append(UNKNOWN_OFFSET)
        try:
            receipts = await self._publish_in_turn(deliveries, turn)
            offsets = defaultdict(list, {place: [] for place in offsets})
            for each, receipt in zip(deliveries, receipts, strict=True):
                DOOR_PUBLISHED.labels(receipt.fate.value).inc()
                each.fate = _fate(each, receipt.fate)
                if receipt.fate is not Fate.NOTHING_DONE:
                    offset = UNKNOWN_OFFSET if receipt.offset is None else receipt.offset
                    offsets[each.partition, each.key].append(offset)
        finally:
            for (partition, key), found in offsets.items():
                self._short_way.end_publishing(partition, key, found)

    async def _publish_in_turn(self, deliveries: Sequence[Delivery], turn: Turn) -> Sequence[Receipt]:
        try:
            if not await turn.has_come(TURN_SECONDS):
                return [Receipt(Fate.NOTHING_DONE)] * len(deliveries)
            handed_over = await self._publisher.hand_over(map(_to_publish, deliveries), len(deliveries))
        finally:
            self._turns.leave(turn)
        return await handed_over


def _must_publish(delivery: Delivery) -> bool:
    """Whether the shard must read the command from its record: because the caller does not wait, or because the intake
    refuses a command of this size.
    """
    return delivery.replies is None or len(delivery.record.value) > ENVELOPE_BYTES


def _to_publish(delivery: Delivery) -> CommandToSend:
    record = delivery.record
    return CommandToSend(delivery.partition, record.key, record.value, list(record.headers))


def _fate(delivery: Delivery, published: Fate) -> Fate:
    """What is known of the command after the attempt to publish it. A shard may have taken it into a batch earlier."""
    was_taken = delivery.local is not None and not delivery.local.withdrawn
    return Fate.UNKNOWN if was_taken and published is Fate.NOTHING_DONE else published
