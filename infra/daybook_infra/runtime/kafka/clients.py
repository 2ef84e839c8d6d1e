"""Clients of the Kafka that the settings name: settings in, aiokafka clients out. Only the admin client is started."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from daybook_client.kafka import clients
from daybook_client.kafka.clients import HEARTBEAT_MS, MAX_REQUEST_BYTES, SESSION_TIMEOUT_MS, close_quietly, start
from daybook_infra.runtime.kafka.options import connection_of, connection_options
from daybook_infra.runtime.kafka.outages import translated
from daybook_infra.runtime.settings import Settings

__all__ = [
    "HEARTBEAT_MS",
    "MAX_REQUEST_BYTES",
    "SESSION_TIMEOUT_MS",
    "admin",
    "close_quietly",
    "consumer",
    "producer",
    "start",
]


def producer(
    settings: Settings, client_id: str, *, batch_bytes: int = 512 * 1024, compressed: bool = True
) -> AIOKafkaProducer:
    """The producer of `daybook_client`."""
    return clients.producer(connection_of(settings), client_id, batch_bytes=batch_bytes, compressed=compressed)


def consumer(
    settings: Settings,
    client_id: str,
    *topics: str,
    group: str | None = None,
    bulk: bool = False,
    reset: clients.Reset = "earliest",
) -> AIOKafkaConsumer:
    """The consumer of `daybook_client`."""
    return clients.consumer(connection_of(settings), client_id, *topics, group=group, bulk=bulk, reset=reset)


@asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client. Errors of the body are translated."""
    client = AIOKafkaAdminClient(**connection_options(settings, "daybook-admin"))
    async with translated(settings):
        try:
            await client.start()
            yield client
        finally:
            await client.close()
