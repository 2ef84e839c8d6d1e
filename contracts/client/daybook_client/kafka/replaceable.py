"""Kafka clients that are started when they are first needed, and replaced after errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import ProducerClosed

from daybook_client.kafka import clients as kafka
from daybook_client.kafka.connection import KafkaConnection
from daybook_client.kafka.outages import OUTAGES, translated


class ProducerOptions(TypedDict):
    batch_bytes: int
    compressed: bool


class ReplaceableProducer:
    """Call `discard` after a send with an unknown outcome: aiokafka does not roll the producer's sequence numbers back,
    so they are no longer valid.
    """

    def __init__(
        self, connection: KafkaConnection, client_id: str, *, batch_bytes: int = 512 * 1024, compressed: bool = True
    ) -> None:
        self._connection = connection
        self._client_id = client_id
        self._options: ProducerOptions = {"batch_bytes": batch_bytes, "compressed": compressed}
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._stopped = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def use(
        self, problem: str, *, seconds: float, passing: tuple[type[Exception], ...] = ()
    ) -> AsyncIterator[AIOKafkaProducer]:
        """Gives a started producer. The start and the body together have `seconds`. If the body raises, the error is
        translated (see `translated`) and the producer is discarded. If the body is cancelled, the producer is kept,
        because other tasks may be using it.
        """
        producer: AIOKafkaProducer | None = None
        try:
            async with translated(self._connection, problem, seconds=seconds, passing=passing):
                producer = await self.get()
                yield producer
        except Exception:  # after any error, the outcome of records may be unknown; raised again below
            self.discard(producer)
            raise

    async def get(self) -> AIOKafkaProducer:
        """A started producer. Raises aiokafka's errors: call it inside `translated`, with a deadline. After `stop`,
        raises ProducerClosed.
        """
        if self._producer is not None:
            return self._producer
        async with self._starting:
            if self._producer is None:
                self._producer = await self._start()
            return self._producer

    async def _start(self) -> AIOKafkaProducer:
        if not self._stopped.is_set():
            started = await kafka.start(kafka.producer(self._connection, self._client_id, **self._options))
            if not self._stopped.is_set():  # meanwhile
                return started
            await kafka.close_quietly(started)
        raise ProducerClosed

    def discard(self, producer: AIOKafkaProducer | None) -> None:
        """Stops using `producer`, and closes it. The outcome of the records that it still held is unknown."""
        if producer is None or producer is not self._producer:
            return
        self._producer = None
        task = asyncio.create_task(kafka.close_quietly(producer))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def stop(self) -> None:
        self._stopped.set()
        self.discard(self._producer)
        await asyncio.gather(*self._closing)


class ReplaceableConsumer:
    """A consumer without a group, for one task at a time. `start_seconds` bounds its start. It is a failure if Kafka
    no longer has the offset to read: the consumer does not continue at another offset.
    """

    def __init__(self, connection: KafkaConnection, client_id: str, *, start_seconds: float) -> None:
        self._connection = connection
        self._client_id = client_id
        self._start_seconds = start_seconds
        self._consumer: AIOKafkaConsumer | None = None

    @asynccontextmanager
    async def use(self, problem: str) -> AsyncIterator[AIOKafkaConsumer]:
        """A started consumer. If Kafka fails in the body, the consumer is stopped and `KafkaAway` is raised (see
        `translated`).
        """
        async with translated(self._connection, problem):
            try:
                yield await self._get()
            except OUTAGES:
                await self.stop()
                raise

    async def _get(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            async with asyncio.timeout(self._start_seconds):
                consumer = kafka.consumer(self._connection, self._client_id, bulk=True, reset="none")
                self._consumer = await kafka.start(consumer)
        return self._consumer

    async def stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await kafka.close_quietly(consumer)
