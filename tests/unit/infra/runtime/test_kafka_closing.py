"""Closing a Kafka client, whatever its own `stop` does."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from daybook_infra.runtime.kafka.clients import close_quietly


class Client:
    """Its stop raises, hangs, or does as it should."""

    def __init__(self, error: BaseException | None = None, *, hangs: bool = False) -> None:
        self.error = error
        self.hangs = hangs
        self.cut_off = asyncio.Event()

    async def stop(self) -> None:
        if self.error is not None:
            raise self.error
        if self.hangs:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.cut_off.set()


@pytest.mark.parametrize("error", [None, KafkaConnectionError(), OSError(), asyncio.CancelledError()])
async def test_what_goes_wrong_with_kafka_while_closing_stops_nobody(error: BaseException | None) -> None:
    await close_quietly(Client(error))


async def test_a_client_that_does_not_stop_is_given_up() -> None:
    client = Client(hangs=True)
    async with asyncio.timeout(5):
        await close_quietly(client, seconds=0.01)
        await client.cut_off.wait()


async def test_a_bug_while_closing_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="a bug"):
        await close_quietly(Client(ValueError("a bug")))
