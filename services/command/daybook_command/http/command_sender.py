"""Delivers checked commands and waits for their results. Returns one answer for each command, in the same order.

A command that Kafka has acknowledged is never lost, even if its request is cancelled.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain

from msgspec import Struct

from daybook_client.kafka.awaited_replies import AwaitedReplies
from daybook_client.kafka.command_publisher import Fate
from daybook_command.domain.registry import users_named
from daybook_command.http.deliveries import Delivery
from daybook_command.http.dependencies import DoorDependencies
from daybook_command.http.time_slices import TimeSlices
from daybook_command.metrics import DOOR_WAITING
from daybook_command.shard.intake import ReplyAddress, SentCommand, sent_command
from daybook_command.shard.records import DoorRecord
from daybook_contracts.codes import Code
from daybook_contracts.commands.normalised import normalised_bytes
from daybook_contracts.commands.registry import Command
from daybook_contracts.commands.users import RegisterUser
from daybook_contracts.results import Pending, Rejected, Result, decode_result, problem
from daybook_contracts.routing import partition_of
from daybook_contracts.senders.principals import Principal, Service
from daybook_contracts.senders.signer import Signer
from daybook_contracts.topics import COMMAND_EVENT, DOOR_HTTP, event_headers

Answer = Result | Pending
# How many commands may wait for their outcome at once. Each takes about 3 KB if it is part of a batch, 7 KB if it came
# alone. Further requests are refused with BUSY.
MAX_WAITING = 20_000

NOTHING_DONE = "Kafka did not take the command in time; nothing was done. Send the command again with this id."
UNKNOWN = (
    "Kafka did not acknowledge the command in time: it may or may not be decided. "
    "Send it again with this id; that never acts twice and gives the outcome."
)
BUSY = "Too many requests wait for their outcome here; nothing was done. Send the command again with this id."
FULL = "Too many commands wait for their decision here; nothing was done. Send the command again with this id."


class Caller(Struct, frozen=True, gc=False):
    """`wait`: whether the caller waits for the outcome. Otherwise the answer only has the path of the outcome."""

    principal: Principal
    traceparent: bytes | None
    wait: bool


class CommandSender:
    def __init__(self, deps: DoorDependencies, slices: TimeSlices) -> None:
        self._deps = deps
        self._deliveries = deps.deliveries
        self._slices = slices
        self._partitions = deps.settings.partitions
        key = deps.settings.door_key
        self._key = None if key is None else key.get_secret_value().encode()
        # Makes correlation ids unique, because other processes may read the same partition of the results topic.
        self._process = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._waiting = 0
        DOOR_WAITING.set_function(lambda: self._waiting)

    async def send(self, commands: Sequence[Command], caller: Caller) -> list[Answer]:
        """Commands with the same routing key are decided in the order given."""
        registry = self._deps.replies
        if caller.wait and len(commands) > MAX_WAITING - registry.waiting:
            return [_unavailable(command, BUSY) for command in commands]
        correlation_ids = [f"{self._process}-{next(self._numbers)}" for _ in commands]
        replies = AwaitedReplies(registry, correlation_ids) if caller.wait else None
        signer = Signer(caller.principal, self._key, DOOR_HTTP)
        prepare = partial(self._prepare, signer, caller.traceparent, replies)
        deliveries: Sequence[Delivery] = ()
        self._waiting += len(commands)
        try:
            deliveries = await self._prepare_all(caller.principal, prepare, commands)
            await self._deliver_and_wait(deliveries, replies)
            return await self._answer_all(caller.principal, deliveries)
        finally:
            self._waiting -= len(commands)
            for delivery in deliveries:
                self._deliveries.settle(delivery)
            if replies is not None:
                replies.end()

    async def _deliver_and_wait(self, deliveries: Sequence[Delivery], replies: AwaitedReplies | None) -> None:
        """A stop cancels the requests that take too long. They are answered with what is known by then."""
        try:
            await self._deliver(deliveries)
            if replies is not None:
                await self._await_replies(replies, deliveries)
        except asyncio.CancelledError:
            for each in deliveries:
                if each.fate is Fate.NOTHING_DONE:  # it may have been on its way to Kafka
                    each.fate = Fate.UNKNOWN

    async def _deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Delivers the commands. If a command names a user who is not in the tables yet, the command waits briefly for
        that user. The other commands with its routing key wait too, to keep their order. If the queues are full, the
        commands of a batch wait for room; a single command does not.
        """
        users = self._deps.users
        required = [_required_users(each.sent) for each in deliveries]
        unseen = set(users.unseen(chain.from_iterable(required)))
        room_seconds = self._deps.settings.wait_seconds / 4 if len(deliveries) > 1 else 0.0
        if not unseen:
            await self._deliveries.deliver(deliveries, room_seconds)
            return
        held_keys = {
            each.key for each, user_ids in zip(deliveries, required, strict=True) if not unseen.isdisjoint(user_ids)
        }
        await self._deliveries.deliver([each for each in deliveries if each.key not in held_keys], room_seconds)
        await users.wait_for(unseen)
        await self._deliveries.deliver([each for each in deliveries if each.key in held_keys], room_seconds)

    async def _prepare_all(
        self, principal: Principal, prepare: Callable[[tuple[int, Command]], Delivery], commands: Sequence[Command]
    ) -> list[Delivery]:
        placed = list(enumerate(commands))
        return [prepare(placed[0])] if len(placed) == 1 else await self._slices.map(principal, prepare, placed)

    async def _answer_all(self, principal: Principal, deliveries: Sequence[Delivery]) -> list[Answer]:
        """Answers a cancelled request too, because its commands may be decided."""
        if len(deliveries) == 1:
            return [_answer(deliveries[0])]
        return await self._slices.map_to_the_end(principal, _answer, deliveries)

    def _prepare(
        self, signer: Signer, traceparent: bytes | None, replies: AwaitedReplies | None, placed: tuple[int, Command]
    ) -> Delivery:
        """Makes what a shard gets, including the record to publish if no shard of this instance takes the command."""
        place, command = placed
        key, value = command.key, normalised_bytes(command)
        headers = event_headers(COMMAND_EVENT, command.id, key, traceparent) + signer.headers(value)
        if replies is None:
            reply_to = ReplyAddress(None, None, traceparent, http=True)
        else:
            registry, correlation_id = self._deps.replies, replies.correlation_ids[place]
            headers += registry.headers(correlation_id)
            reply_to = ReplyAddress(correlation_id.encode(), registry.partition, traceparent, http=True)
        record = DoorRecord(key.encode(), value, tuple(headers))
        sent = sent_command(record, reply_to, command, signer.principal)
        return Delivery(command, key, replies, place, partition_of(key, self._partitions), record, sent)

    async def _await_replies(self, replies: AwaitedReplies, deliveries: Sequence[Delivery]) -> None:
        """Waits for the replies to commands that a shard holds or that are published. After half of the wait, commands
        that a shard holds are published, because only a published command may be answered with 202.
        """
        wait, started_at = self._deps.settings.wait_seconds, time.monotonic()
        local = [each for each in deliveries if each.local is not None]
        if local and not await replies.wait([each.place for each in local], wait / 2):
            await self._deliveries.fall_back([each for each in local if each.answer is None])
        waited = time.monotonic() - started_at if local else 0.0
        published = [each.place for each in deliveries if each.fate is Fate.PUBLISHED]
        if published:
            await replies.wait(published, wait - waited)


def outcome_path(command: Command, principal: Principal) -> str:
    """The path at which the caller finds the command's outcome. A service that acted for a user must name the user."""
    path = f"/v1/orgs/{command.key}/commands/{command.id}"
    acts_for = command.actor_user_id if isinstance(principal, Service) else None
    return path if acts_for is None else f"{path}?actor={acts_for}"


def _required_users(sent: SentCommand) -> tuple[str, ...]:
    """The users who must exist before the command is decided."""
    return () if isinstance(sent.command, RegisterUser) else users_named(sent.command, sent.named)


def _answer(delivery: Delivery) -> Answer:
    answer = delivery.answer
    if answer is not None:
        return decode_result(answer)
    if delivery.refused:
        return _unavailable(delivery.command, FULL)
    match delivery.fate:
        case Fate.PUBLISHED:
            return Pending(delivery.command.id, outcome_path(delivery.command, delivery.sent.principal))
        case Fate.NOTHING_DONE:
            return _unavailable(delivery.command, NOTHING_DONE)
        case Fate.UNKNOWN:
            return _unavailable(delivery.command, UNKNOWN)


def _unavailable(command: Command, detail: str) -> Rejected:
    return problem(Code.UNAVAILABLE, detail, command_id=command.id)
