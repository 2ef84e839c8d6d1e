"""Delivers checked commands and waits for their results. Returns one answer for each command, in the same order.

A command that Kafka has acknowledged is never lost, even if its request is cancelled.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from daybook_client.kafka.command_publisher import CommandToSend, Fate
from daybook_command.domain.registry import users_named
from daybook_command.http.deliveries import Delivery
from daybook_command.http.dependencies import DoorDependencies
from daybook_command.http.time_slices import TimeSlices
from daybook_command.metrics import DOOR_WAITING
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
T = TypeVar("T")
S = TypeVar("S")
# How many commands may wait for their outcome at once, about 2 KB each. Further requests are refused with BUSY.
MAX_WAITING = 20_000

NOTHING_DONE = "Kafka cannot be reached now; nothing was done. Send the command again with this id."
UNKNOWN = (
    "Kafka did not acknowledge the command in time: it may or may not be decided. "
    "Send it again with this id; that never acts twice and gives the outcome."
)
BUSY = "Too many requests wait for their outcome here; nothing was done. Send the command again with this id."
FULL = "Too many commands wait for their decision here; nothing was done. Send the command again with this id."


@dataclass(frozen=True, slots=True)
class Caller:
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
        replies = self._deps.replies
        if caller.wait and len(commands) > MAX_WAITING - replies.waiting:
            return [_unavailable(command, BUSY) for command in commands]
        deliveries = [self._delivery(command, caller) for command in commands]
        self._waiting += len(deliveries)
        try:
            await self._map(caller.principal, lambda delivery: self._write_record(delivery, caller), deliveries)
            await self._deliver(deliveries)
            await self._await_replies(deliveries)
            return await self._map(caller.principal, lambda delivery: _answer(delivery, caller.principal), deliveries)
        finally:
            self._waiting -= len(deliveries)
            for delivery in deliveries:
                self._deliveries.settle(delivery)
                replies.forget(delivery.correlation_id)

    def _delivery(self, command: Command, caller: Caller) -> Delivery:
        correlation_id = f"{self._process}-{next(self._numbers)}"
        reply = self._deps.replies.expect(correlation_id) if caller.wait else None
        return Delivery(command, caller.principal, correlation_id, reply)

    async def _deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Delivers the commands. A command that names a user who is not in the tables yet first waits briefly for that
        user. The other commands with its routing key wait too, to keep their order.
        """
        users = self._deps.users
        unseen = {each.correlation_id: users.unseen(_required_users(each.command)) for each in deliveries}
        held_keys = {each.key for each in deliveries if unseen[each.correlation_id]}
        room_seconds = self._deps.settings.wait_seconds / 4
        await self._deliveries.deliver([each for each in deliveries if each.key not in held_keys], room_seconds)
        if held_keys:
            await users.wait_for({user_id for user_ids in unseen.values() for user_id in user_ids})
            await self._deliveries.deliver([each for each in deliveries if each.key in held_keys], room_seconds)

    async def _map(self, principal: Principal, work: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """Applies `work` to each item: at once if there is one item, otherwise in time slices."""
        return [work(items[0])] if len(items) == 1 else await self._slices.map(principal, work, items)

    def _write_record(self, delivery: Delivery, caller: Caller) -> None:
        """The record that publishes the command, or that would publish it if no shard of this instance takes it."""
        command = delivery.command
        value = normalised_bytes(command)
        headers = event_headers(COMMAND_EVENT, command.id, command.key, caller.traceparent)
        headers += Signer(caller.principal, self._key, DOOR_HTTP).headers(value)
        if delivery.reply is not None:
            headers += self._deps.replies.headers(delivery.correlation_id)
        partition = partition_of(command.key, self._partitions)
        delivery.record = CommandToSend(partition, command.key.encode(), value, headers)

    async def _await_replies(self, deliveries: Sequence[Delivery]) -> None:
        """Waits for the replies of commands that are with a shard or published. After half of the wait, commands that
        are with a shard are published, because only a published command may be answered with 202.
        """
        wait, started_at = self._deps.settings.wait_seconds, time.monotonic()
        local = [each for each in deliveries if each.local is not None]
        await _await_all(local, wait / 2)
        await self._deliveries.fall_back(each for each in local if not each.is_answered)
        waited = time.monotonic() - started_at if local else 0.0
        await _await_all([each for each in deliveries if each.fate is Fate.PUBLISHED], wait - waited)


async def _await_all(deliveries: Sequence[Delivery], seconds: float) -> None:
    awaited = [each.reply for each in deliveries if each.reply is not None and not each.reply.done()]
    if awaited:
        await asyncio.wait(awaited, timeout=max(0.0, seconds))


def outcome_path(command: Command, principal: Principal) -> str:
    """The path at which the caller finds the command's outcome. A service that acted for a user must name the user."""
    path = f"/v1/orgs/{command.key}/commands/{command.id}"
    acts_for = command.actor_user_id if isinstance(principal, Service) else None
    return path if acts_for is None else f"{path}?actor={acts_for}"


def _required_users(command: Command) -> tuple[str, ...]:
    """The users who must exist before the command is decided."""
    return () if isinstance(command, RegisterUser) else users_named(command)


def _answer(delivery: Delivery, principal: Principal) -> Answer:
    if delivery.reply is not None and delivery.reply.done():
        return decode_result(delivery.reply.result())
    if delivery.refused:
        return _unavailable(delivery.command, FULL)
    match delivery.fate:
        case Fate.PUBLISHED:
            return Pending(delivery.command.id, outcome_path(delivery.command, principal))
        case Fate.NOTHING_DONE:
            return _unavailable(delivery.command, NOTHING_DONE)
        case Fate.UNKNOWN:
            return _unavailable(delivery.command, UNKNOWN)


def _unavailable(command: Command, detail: str) -> Rejected:
    return problem(Code.UNAVAILABLE, detail, command_id=command.id)
