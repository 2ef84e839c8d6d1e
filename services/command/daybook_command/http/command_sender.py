"""Publishes commands and waits for their results: checked commands in, an answer to each out, in the same order.
A command whose publishing was acknowledged is never lost, whatever becomes of the request that brought it.
"""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from daybook_command.domain.targets import users_named
from daybook_command.http.dependencies import DoorDeps
from daybook_command.http.time_slices import Turns
from daybook_command.kafka.command_publisher import CommandToSend, Fate
from daybook_command.metrics import DOOR_PUBLISHED, DOOR_WAITING
from daybook_contracts.codes import Code
from daybook_contracts.commands.normalised import normalised_bytes
from daybook_contracts.commands.registry import Command
from daybook_contracts.commands.users import RegisterUser
from daybook_contracts.results import Pending, Rejected, Result, decode_result, problem
from daybook_contracts.routing import partition_of
from daybook_contracts.senders.principals import Principal, Service, sign
from daybook_contracts.topics import (
    COMMAND_EVENT,
    CORRELATION_ID,
    DOOR,
    DOOR_HTTP,
    PRINCIPAL,
    REPLY_PARTITION,
    SIGNATURE,
    Headers,
    event_headers,
)

Answer = Result | Pending
T = TypeVar("T")

NOTHING_DONE = "Kafka cannot be reached now; nothing was done. Send the command again with this id."
UNKNOWN = (
    "Kafka did not acknowledge the command in time: it may or may not be decided. "
    "Send it again with this id; that never acts twice and gives the outcome."
)
BUSY = "Too many requests wait for their outcome here; nothing was done. Send the command again with this id."


@dataclass(frozen=True, slots=True)
class Sender:
    """`wait` is False where the sender wants no more than the outcome's address."""

    principal: Principal
    traceparent: bytes | None
    wait: bool


@dataclass(slots=True)
class _Flight:
    """One command on its way. Until it is sent, nothing was done."""

    command: Command
    correlation_id: str
    reply: "asyncio.Future[bytes] | None"
    fate: Fate = Fate.NOTHING_DONE


class Sending:
    def __init__(self, deps: DoorDeps, turns: Turns) -> None:
        self._deps = deps
        self._turns = turns
        self._partitions = deps.settings.partitions
        key = deps.settings.door_key
        self._key = None if key is None else key.get_secret_value().encode()
        # Other processes may read the same partition of the results topic.
        self._process = secrets.token_hex(8)
        self._numbers = itertools.count()

    async def send(self, commands: Sequence[Command], sender: Sender) -> list[Answer]:
        """Commands of one routing key are decided in the order given."""
        replies = self._deps.replies
        if sender.wait and len(commands) > replies.room:
            return [_unavailable(command, BUSY) for command in commands]
        flights = [self._flight(command, sender) for command in commands]
        DOOR_WAITING.inc(len(flights))
        try:
            await self._publish(flights, sender)
            await self._replies(flights)
            return await self._each(sender.principal, lambda flight: _answer(flight, sender.principal), flights)
        finally:
            DOOR_WAITING.dec(len(flights))
            for flight in flights:
                replies.forget(flight.correlation_id)

    def _flight(self, command: Command, sender: Sender) -> _Flight:
        correlation_id = f"{self._process}-{next(self._numbers)}"
        return _Flight(command, correlation_id, self._deps.replies.expect(correlation_id) if sender.wait else None)

    async def _publish(self, flights: Sequence[_Flight], sender: Sender) -> None:
        """Commands that name a user who is not in the tables yet go a moment later, with all others of their key."""
        users = self._deps.users
        unseen = {flight.correlation_id: users.unseen(_users(flight.command)) for flight in flights}
        held = {flight.command.key for flight in flights if unseen[flight.correlation_id]}
        await self._publish_now([flight for flight in flights if flight.command.key not in held], sender)
        if held:
            await users.wait_for({user_id for user_ids in unseen.values() for user_id in user_ids})
            await self._publish_now([flight for flight in flights if flight.command.key in held], sender)

    async def _publish_now(self, flights: Sequence[_Flight], sender: Sender) -> None:
        if not flights:
            return
        records = await self._each(sender.principal, lambda flight: self._record(flight, sender), flights)
        fates = await self._deps.publisher.publish(records)
        for flight, fate in zip(flights, fates, strict=True):
            flight.fate = fate
            DOOR_PUBLISHED.labels(fate.value).inc()

    async def _each(self, principal: Principal, work: Callable[[_Flight], T], flights: Sequence[_Flight]) -> list[T]:
        """A batch's work takes turns; a command alone has had its turn."""
        return [work(flights[0])] if len(flights) == 1 else await self._turns.each(principal, work, flights)

    def _record(self, flight: _Flight, sender: Sender) -> CommandToSend:
        command, principal = flight.command, str(sender.principal).encode()
        value = normalised_bytes(command)
        headers: Headers = event_headers(COMMAND_EVENT, command.id, command.key, sender.traceparent)
        headers.append((PRINCIPAL, principal))
        headers.append((DOOR, DOOR_HTTP))
        if self._key is not None:
            headers.append((SIGNATURE, sign(self._key, principal, DOOR_HTTP, value)))
        if flight.reply is not None:
            headers.append((REPLY_PARTITION, str(self._deps.replies.partition).encode()))
            headers.append((CORRELATION_ID, flight.correlation_id.encode()))
        partition = partition_of(command.key, self._partitions)
        return CommandToSend(partition, command.key.encode(), value, headers)

    async def _replies(self, flights: Sequence[_Flight]) -> None:
        awaited = [flight.reply for flight in flights if flight.reply is not None and flight.fate is Fate.PUBLISHED]
        if awaited:
            await asyncio.wait(awaited, timeout=self._deps.settings.wait_seconds)


def outcome_path(command: Command, principal: Principal) -> str:
    """Where a command's outcome will stand for its sender. A service that acted for a user has to say for whom."""
    path = f"/v1/orgs/{command.key}/commands/{command.id}"
    acts_for = command.actor_user_id if isinstance(principal, Service) else None
    return path if acts_for is None else f"{path}?actor={acts_for}"


def _users(command: Command) -> tuple[str, ...]:
    """The users that must exist before the command is decided."""
    return () if isinstance(command, RegisterUser) else users_named(command)


def _answer(flight: _Flight, principal: Principal) -> Answer:
    if flight.reply is not None and flight.reply.done():
        return decode_result(flight.reply.result())
    match flight.fate:
        case Fate.PUBLISHED:
            return Pending(flight.command.id, outcome_path(flight.command, principal))
        case Fate.NOTHING_DONE:
            return _unavailable(flight.command, NOTHING_DONE)
        case Fate.UNKNOWN:
            return _unavailable(flight.command, UNKNOWN)


def _unavailable(command: Command, detail: str) -> Rejected:
    return problem(Code.UNAVAILABLE, detail, command_id=command.id)
