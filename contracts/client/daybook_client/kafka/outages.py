"""Translates aiokafka's errors into `KafkaAway`, with a message that says the reason."""

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
"""The errors that aiokafka raises if Kafka fails. They include TimeoutError, which is an OSError, and the errors for
missing ACLs, which are KafkaErrors.
"""


@asynccontextmanager
async def translated(
    connection: KafkaConnection,
    problem: str | None = None,
    *,
    seconds: float | None = None,
    passing: tuple[type[Exception], ...] = (),
) -> AsyncIterator[None]:
    """Raises `connection.away` if Kafka cannot be reached, does not answer within `seconds`, answers with an error or
    has fenced a producer. Raises `connection.refuses` if Kafka refuses this client. All of these may be temporary, so
    callers retry.

    `problem` says what cannot be done. Without it, the message says why Kafka cannot be reached; to find the reason,
    this function may connect to each server once more, for up to `refusals.ASK_SECONDS`.

    These errors are not translated:
    - `passing`: final answers that the caller handles, such as a record that is too large for its topic.
    - ConsumerStoppedError and IllegalOperation: misuse of aiokafka, which is a bug.

    Do not use it around the `getmany` of a consumer with a group. Such a consumer recovers only from
    `refusals.DENIALS`. After any other error aiokafka stops fetching, and the process has to end.
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
