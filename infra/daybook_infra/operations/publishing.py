"""Publishes commands over Kafka and waits for their results: addressed commands in, an outcome for each out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from daybook_contracts.codes import Code
from daybook_contracts.results import Accepted, Pending, Result, decode_result, problem
from daybook_contracts.routing import partition_of
from daybook_contracts.topics import COMMAND_EVENT, Topics, event_headers
from daybook_infra.operations.addressing import AddressedCommand
from daybook_infra.runtime.kafka.command_publisher import CommandPublisher, CommandToSend, Fate
from daybook_infra.runtime.kafka.replies import Replies
from daybook_infra.runtime.kafka.signer import Signer
from daybook_infra.runtime.settings import Settings

CLIENT = "daybook-send"

Outcome = Result | Pending


@dataclass(frozen=True, slots=True)
class CommandClient:
    """`seconds`: how long to wait for Kafka, and then for the outcome of each command."""

    signer: Signer
    seconds: float
    partitions: int
    _publisher: CommandPublisher
    _replies: Replies

    async def publish(self, command: AddressedCommand) -> asyncio.Task[Outcome]:
        """Sends in the order of the calls. The task ends with the outcome, after `seconds` at most."""
        correlation_id = uuid4().hex
        reply = self._replies.expect(correlation_id)
        fates = await self._publisher.hand_over([self._record(command, correlation_id)])
        outcome = asyncio.create_task(self._outcome(command, fates, reply))
        outcome.add_done_callback(lambda _: self._replies.forget(correlation_id))
        return outcome

    def _record(self, command: AddressedCommand, correlation_id: str) -> CommandToSend:
        return CommandToSend(
            partition_of(command.key, self.partitions),
            command.key.encode(),
            command.raw,
            [
                *event_headers(COMMAND_EVENT, command.command_id, command.key),
                *self.signer.headers(command.raw),
                *self._replies.headers(correlation_id),
            ],
        )

    async def _outcome(
        self, command: AddressedCommand, fates: Awaitable[list[Fate]], reply: asyncio.Future[bytes]
    ) -> Outcome:
        deadline = asyncio.get_running_loop().time() + self.seconds
        (fate,) = await fates
        if fate is Fate.PUBLISHED:
            await asyncio.wait([reply], timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        if reply.done():
            return decode_result(reply.result())
        if fate is Fate.PUBLISHED:
            return Pending(command.command_id, command.location)
        detail = "not acknowledged by Kafka, so the outcome is unknown: send it again with the same id"
        return problem(Code.UNAVAILABLE, detail, command_id=command.command_id)


def is_known(outcome: Outcome) -> bool:
    """False if it is unknown whether the command has been or will be decided."""
    return not isinstance(outcome, Pending) and (isinstance(outcome, Accepted) or outcome.code != Code.UNAVAILABLE)


@asynccontextmanager
async def publishing(settings: Settings, signer: Signer, seconds: float) -> AsyncIterator[CommandClient]:
    """A client that receives its commands' results. Raises `KafkaAway` if Kafka cannot be reached."""
    topics = Topics(settings.topic_prefix)
    publisher = CommandPublisher(settings, topics.commands, CLIENT, seconds)
    try:
        # Read from Kafka, so that senders need not know DAYBOOK_PARTITIONS.
        partitions = await publisher.count_partitions()
        replies = Replies(settings, topics.results, CLIENT, partitions=partitions)
        await replies.start()
        try:
            yield CommandClient(signer, seconds, partitions, publisher, replies)
        finally:
            await replies.stop()
    finally:
        await publisher.stop()
