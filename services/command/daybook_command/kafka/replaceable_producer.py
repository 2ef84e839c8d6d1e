"""A producer that is started when it is first needed and thrown away when it can no longer be trusted."""

import asyncio
from typing import TypedDict

from aiokafka import AIOKafkaProducer

from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.settings import Settings


class Options(TypedDict):
    batch_bytes: int
    compressed: bool


class ReplaceableProducer:
    """After a send of unknown fate its sequence numbers are lost (they do not roll back): `discard` it."""

    def __init__(
        self, settings: Settings, client_id: str, *, batch_bytes: int = 512 * 1024, compressed: bool = True
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._options: Options = {"batch_bytes": batch_bytes, "compressed": compressed}
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def get(self) -> AIOKafkaProducer:
        """A started one; raises aiokafka's KafkaError or OSError where Kafka is away. Give the call a deadline."""
        async with self._starting:
            if self._producer is None:
                producer = kafka.producer(self._settings, self._client_id, **self._options)
                try:
                    await producer.start()
                except BaseException:  # a cancellation too: what has begun to connect must not be left alive
                    await kafka.close_quietly(producer)
                    raise
                self._producer = producer
            return self._producer

    def discard(self, producer: AIOKafkaProducer | None) -> None:
        """Nothing more goes through `producer`; what it still held is of unknown fate."""
        if producer is None or producer is not self._producer:
            return
        self._producer = None
        task = asyncio.create_task(kafka.close_quietly(producer))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def stop(self) -> None:
        self.discard(self._producer)
        await asyncio.gather(*self._closing)
