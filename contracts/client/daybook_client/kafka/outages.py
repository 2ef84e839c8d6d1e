"""Translates aiokafka's errors, with the reason in words: errors in, `KafkaAway` out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
)

from daybook_client.errors import KafkaAway
from daybook_client.kafka.connection import KafkaConnection
from daybook_client.kafka.refusals import describe_denial, find_refusal

OUTAGES: Final = (KafkaError, OSError)
"""What aiokafka raises if Kafka fails. TimeoutError is an OSError, and the error for a missing ACL is a KafkaError."""


@asynccontextmanager
async def translated(
    connection: KafkaConnection,
    problem: str | None = None,
    *,
    seconds: float | None = None,
    passing: tuple[type[Exception], ...] = (),
) -> AsyncIterator[None]:
    """Raises `KafkaAway`, with its cause, if Kafka cannot be reached, does not answer within `seconds`, answers with an
    error, has fenced a producer, or refuses this client (`KafkaRefuses`). All of these may be temporary, so callers
    retry. The connection says which classes to raise.

    `problem` says what cannot be done. Without it, the message says why Kafka cannot be reached; to find the reason,
    this may ask each server once more, for up to `refusals.ASK_SECONDS`.

    Left as they are:
    - `passing`: final answers that the caller acts on, such as a record that is too large for its topic.
    - ConsumerStoppedError and IllegalOperation: misuse of aiokafka, which is a bug.

    Do not use it around the `getmany` of a consumer with a group. There only `refusals.DENIALS` pass by themselves;
    after any other error aiokafka fetches no more, and the process has to end.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except passing:
        raise
    except OUTAGES as error:
        if problem is None:
            raise await _translation(connection, error) from error
        denied = describe_denial(connection, error)
        kind = connection.away if denied is None else connection.refuses
        raise kind(f"{problem}: {denied or repr(error)}") from error


async def _translation(connection: KafkaConnection, error: KafkaError | OSError) -> KafkaAway:
    match error:
        case KafkaConnectionError():
            refused = await find_refusal(connection)
            if refused is not None:
                return connection.refuses(refused)
            return connection.away(f"Kafka is not reachable at {connection.bootstrap}")
        case KafkaTimeoutError() | RequestTimedOutError() | NodeNotReadyError() | TimeoutError():
            return connection.away(f"Kafka at {connection.bootstrap} did not answer in time")
        case _:
            denied = describe_denial(connection, error)
            if denied is not None:
                return connection.refuses(f"Kafka refuses: {denied}")
            return connection.away(f"Kafka at {connection.bootstrap} failed: {error!r}")
