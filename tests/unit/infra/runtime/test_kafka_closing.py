"""Closes Kafka clients whose `stop` fails or hangs."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from daybook_infra.runtime.kafka.clients import close_quietly


class Client:
    """A client whose `stop` raises, hangs or succeeds."""

    def __init__(self, error: BaseException | None = None, *, hangs: bool = False) -> None:
        self.error = error
        self.hangs = hangs
        self.cancelled = asyncio.Event()

    async def stop(self) -> None:
        if self.error is not None:
            raise self.error
        if self.hangs:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.cancelled.set()


@pytest.mark.parametrize("error", [None, KafkaConnectionError(), OSError(), asyncio.CancelledError()])
async def test_errors_of_kafka_while_closing_are_suppressed(error: BaseException | None) -> None:
    await close_quietly(Client(error))


async def test_a_client_that_hangs_while_stopping_is_cancelled() -> None:
    client = Client(hangs=True)
    async with asyncio.timeout(5):
        await close_quietly(client, seconds=0.01)
        await client.cancelled.wait()


async def test_a_bug_while_closing_is_raised() -> None:
    with pytest.raises(ValueError, match="a bug"):
        await close_quietly(Client(ValueError("a bug")))
