"""Translates aiokafka's errors, as postgres/connections.py translates asyncpg's: errors in, `KafkaAway` out."""

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

from daybook_infra.runtime.errors import KafkaAway, KafkaRefuses
from daybook_infra.runtime.kafka.refusals import describe_denial, find_refusal
from daybook_infra.runtime.settings import Settings

OUTAGES: Final = (KafkaError, OSError)
"""What aiokafka raises if Kafka fails. TimeoutError is an OSError, and the error for a missing ACL is a KafkaError."""


@asynccontextmanager
async def translated(
    settings: Settings,
    problem: str | None = None,
    *,
    seconds: float | None = None,
    passing: tuple[type[Exception], ...] = (),
) -> AsyncIterator[None]:
    """Raises `KafkaAway`, with its cause, if Kafka cannot be reached, does not answer within `seconds`, answers with an
    error, has fenced a producer, or refuses this client (`KafkaRefuses`). All of these may be temporary, so callers
    retry.

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
            raise await _translation(settings, error) from error
        denied = describe_denial(settings, error)
        kind = KafkaAway if denied is None else KafkaRefuses
        raise kind(f"{problem}: {denied or repr(error)}") from error


async def _translation(settings: Settings, error: KafkaError | OSError) -> KafkaAway:
    match error:
        case KafkaConnectionError():
            refused = await find_refusal(settings)
            if refused is not None:
                return KafkaRefuses(refused)
            return KafkaAway(f"Kafka is not reachable at {settings.kafka_bootstrap}")
        case KafkaTimeoutError() | RequestTimedOutError() | NodeNotReadyError() | TimeoutError():
            return KafkaAway(f"Kafka at {settings.kafka_bootstrap} did not answer in time")
        case _:
            denied = describe_denial(settings, error)
            if denied is not None:
                return KafkaRefuses(f"Kafka refuses: {denied}")
            return KafkaAway(f"Kafka at {settings.kafka_bootstrap} failed: {error!r}")
