"""Matches records of the results topic to the callers that wait for them, by correlation id. Each process reads one
partition of the topic, chosen at random when it starts. Several processes may read the same partition.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition

from daybook_client.errors import KafkaAway
from daybook_client.kafka import clients as kafka
from daybook_client.kafka.connection import KafkaConnection
from daybook_client.kafka.outages import translated
from daybook_contracts.topics import CORRELATION_ID, REPLY_PARTITION, Headers

START_SECONDS = 30.0
POLL_MS = 1_000
POLL_RECORDS = 2_000
PAUSE_SECONDS = 1.0

log = logging.getLogger(__name__)


class Replies:
    """Drops replies that no caller expects; their outcomes are still in the log."""

    def __init__(self, connection: KafkaConnection, topic: str, client_id: str, *, partitions: int) -> None:
        """`partitions`: the topic's number of partitions."""
        self._connection = connection
        self._client_id = client_id
        self._waiting: dict[str, Callable[[bytes], None]] = {}
        self._place = TopicPartition(topic, secrets.randbelow(partitions))
        self._address = (REPLY_PARTITION, str(self._place.partition).encode())
        self._consumer: AIOKafkaConsumer | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_fault: str | None = None

    @property
    def partition(self) -> int:
        return self._place.partition

    @property
    def waiting(self) -> int:
        """How many replies are expected."""
        return len(self._waiting)

    @property
    def fault(self) -> str | None:
        """Why replies cannot be received, for the readiness check; None if they can."""
        if self._reading is None or self._reading.done():
            return "the results topic is not being read"
        return self._read_fault

    async def start(self) -> None:
        """Returns when no later reply can be missed. Raises KafkaAway."""
        consumer = kafka.consumer(self._connection, self._client_id, reset="latest")
        try:
            async with translated(self._connection, seconds=START_SECONDS):
                await consumer.start()
                consumer.assign([self._place])
                # Seeking is lazy: the end is only looked up when the position is asked for.
                await consumer.seek_to_end(self._place)
                await consumer.position(self._place)
        except BaseException:  # a cancellation too: a half-started consumer must not stay connected
            await kafka.close_quietly(consumer)
            raise
        self._consumer = consumer
        self._reading = asyncio.create_task(self._read(consumer), name="replies")

    async def stop(self) -> None:
        reading, self._reading = self._reading, None
        consumer, self._consumer = self._consumer, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])
        if consumer is not None:
            await kafka.close_quietly(consumer)

    def headers(self, correlation_id: str) -> Headers:
        """The headers of a command's record that direct its reply to this process."""
        return [self._address, (CORRELATION_ID, correlation_id.encode())]

    def listen(self, correlation_id: str, take: Callable[[bytes], None]) -> None:
        """Call `listen` before you send the command, and `forget` when you no longer wait. `take` is called with each
        reply: a command may get several. `AwaitedReplies` waits for the first reply to each command.
        """
        self._waiting[correlation_id] = take

    def forget(self, correlation_id: str) -> None:
        self._waiting.pop(correlation_id, None)

    def resolve(self, correlation_id: str, value: bytes) -> bool:
        """Gives the reply to the caller that expects it. Returns whether there is one."""
        take = self._waiting.get(correlation_id)
        if take is None:
            return False
        take(value)
        return True

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                async with translated(self._connection, "the results topic cannot be read"):
                    polled = await consumer.getmany(self._place, timeout_ms=POLL_MS, max_records=POLL_RECORDS)
            except KafkaAway as away:
                self._read_fault = str(away)
                log.warning("replies_interrupted", extra={"reason": str(away)})
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            self._read_fault = None
            for record in polled.get(self._place, ()):
                correlation_id = dict(record.headers).get(CORRELATION_ID)
                if correlation_id is not None and record.value is not None:
                    self.resolve(correlation_id.decode("latin-1"), record.value)
