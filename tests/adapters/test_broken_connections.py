"""A connection to a real Kafka is reset, and a request follows at once, in the event loop that the services use."""

import asyncio

import pytest
import uvloop
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.settings import Settings


def test_a_request_after_a_reset_raises_a_kafka_error_and_the_client_connects_again(settings: Settings) -> None:
    async def send_after_reset() -> None:
        async with kafka.consumer(settings, "reset") as consumer:
            await consumer.topics()
            connection = next(iter(consumer._client._conns.values()))
            connection._writer.transport.abort()
            await asyncio.sleep(0)  # so that uvloop closes the transport
            with pytest.raises(KafkaConnectionError):
                await connection.send(ApiVersionRequest())
            assert await consumer.topics()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send_after_reset())
