"""Publishes commands over Kafka and waits for their results: addressed commands in, their outcomes out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from daybook_client.kafka.command_publisher import Fate
from daybook_client.kafka.requests import Exchange, Request, Requests, requesting
from daybook_contracts.codes import Code
from daybook_contracts.results import Accepted, Pending, Result, decode_result, problem
from daybook_contracts.senders.signer import Signer
from daybook_infra.operations.addressing import AddressedCommand
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.settings import Settings

CLIENT = "daybook-send"

Outcome = Result | Pending


@dataclass(frozen=True, slots=True)
class CommandClient:
    """`seconds`: how long to wait for Kafka, and then for the outcome of each command."""

    seconds: float
    _requests: Requests

    async def publish(self, command: AddressedCommand) -> asyncio.Task[Outcome]:
        """Sends in the order of the calls. The task ends with the outcome, after `seconds` at most."""
        exchange = await self._requests.publish([Request(command.command_id, command.key, command.raw)])
        outcome = asyncio.create_task(self._outcome(command, exchange))
        outcome.add_done_callback(lambda _: exchange.end())
        return outcome

    async def _outcome(self, command: AddressedCommand, exchange: Exchange) -> Outcome:
        deadline = asyncio.get_running_loop().time() + self.seconds
        fates = await exchange.fates
        await exchange.wait(fates, deadline - asyncio.get_running_loop().time())
        (fate,), (reply,) = fates, exchange.replies
        if reply is not None:
            return decode_result(reply)
        if fate is Fate.PUBLISHED:
            return Pending(command.command_id, command.location)
        detail = "Kafka did not acknowledge the command, so the outcome is unknown: send it again with the same id"
        return problem(Code.UNAVAILABLE, detail, command_id=command.command_id)


def is_known(outcome: Outcome) -> bool:
    """False if it is unknown whether the command has been or will be decided."""
    return not isinstance(outcome, Pending) and (isinstance(outcome, Accepted) or outcome.code != Code.UNAVAILABLE)


@asynccontextmanager
async def publishing(settings: Settings, signer: Signer, seconds: float) -> AsyncIterator[CommandClient]:
    """A client that receives its commands' results. Raises `KafkaAway` if Kafka cannot be reached."""
    async with requesting(connection_of(settings), settings.topic_prefix, CLIENT, signer, seconds) as requests:
        yield CommandClient(seconds, requests)
