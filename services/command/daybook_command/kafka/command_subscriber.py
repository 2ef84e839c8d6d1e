"""The Kafka door: a FastStream batch subscriber on the commands topic. It passes the records to the engine's shards.
The engine says which offsets to commit; the consumer never commits its own positions.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER

from daybook_client.kafka.refusals import describe_error
from daybook_command.kafka.topic_bounds import TopicBounds
from daybook_command.kafka.waiting_consumer import WaitingConsumer
from daybook_command.shard.records import CommandRecord
from daybook_contracts.limits import DEAD_LETTER_BYTES, ENVELOPE_BYTES
from daybook_contracts.topics import Topics
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.kafka.bare_records import UNREAD_HEADERS
from daybook_infra.runtime.kafka.lost_batch import LostBatch
from daybook_infra.runtime.kafka.options import connection_of, connection_options, fetch_options
from daybook_infra.runtime.kafka.outages import translated
from daybook_infra.runtime.logs import get_logger
from daybook_infra.runtime.settings import Settings

log = get_logger(__name__)

CLIENT_ID = "daybook-command"
CALL_SECONDS = 5.0
MAX_RECORDS = 2_000
FETCH = fetch_options(bulk=False)


class Shards(Protocol):
    """The engine as the subscriber sees it: gets the partitions assigned to this instance, and their records."""

    def assign(self, partitions: Iterable[int]) -> None: ...

    async def revoke(self, partitions: Iterable[int]) -> None: ...

    def hand_over(self, partition: int, records: Sequence[CommandRecord]) -> None: ...


class CommandSubscriber(ConsumerRebalanceListener):
    """The group's consumer: handles rebalances, and seeks, pauses, resumes and commits single partitions."""

    def __init__(self, settings: Settings, topics: Topics) -> None:
        self.broker = _broker(settings)
        self._settings = settings
        self._topic = topics.commands
        self._bounds = TopicBounds(settings, topics.commands, "daybook-command-ends")
        self._shards: Shards | None = None
        self._subscriber = self.broker.subscriber(
            topics.commands,
            group_id=topics.command_group,
            batch=True,
            max_records=MAX_RECORDS,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            session_timeout_ms=kafka.SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=kafka.HEARTBEAT_MS,
            no_reply=True,
            listener=self,
            parser=_parse,
            decoder=_decode,
            fetch_max_wait_ms=FETCH["fetch_max_wait_ms"],
            max_partition_fetch_bytes=FETCH["max_partition_fetch_bytes"],
        )
        self._subscriber(self._hand_over)

    @property
    def fault(self) -> str | None:
        """Why no commands could be read lately."""
        consumer = self._consumer
        failure = consumer.failure if isinstance(consumer, WaitingConsumer) else None
        return None if failure is None else describe_error(connection_of(self._settings), failure)

    async def start(self, shards: Shards) -> None:
        """Raises KafkaAway if Kafka cannot be reached."""
        self._shards = shards
        try:
            async with translated(self._settings, "cannot subscribe to the commands topic", seconds=2 * CALL_SECONDS):
                await self._start_broker()
        except KafkaAway:
            # If the consumer stayed open, it would join the group, and nobody would read its partitions.
            if self._consumer is not None:
                await kafka.close_quietly(self._consumer)
            raise

    async def _start_broker(self) -> None:
        """Starts the broker, but lets it build its consumer from our class and with our options."""
        await self.broker.connect()  # sets its own builder
        options = connection_options(self._settings, CLIENT_ID)
        self.broker.config.broker_config.builder = partial(WaitingConsumer, **options)
        await self.broker.start()

    async def stop(self) -> None:
        await asyncio.gather(kafka.close_quietly(self.broker), self._bounds.stop())

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        consumer: AIOKafkaConsumer | None = self._subscriber.consumer
        return consumer

    async def _hand_over(self, records: Any) -> None:
        """Passes records to the shards. FastStream calls this with the result of `_decode`: raw records, grouped by
        partition.
        """
        if self._shards is None:
            return
        for partition, run in groupby(records, key=lambda record: record.partition):
            self._shards.hand_over(partition, [command_record(record) for record in run])
            await asyncio.sleep(0)  # each shard starts its work in another iteration of the event loop

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        if self._shards is not None:
            await self._shards.revoke([place.partition for place in revoked])

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Must pause before it awaits anything, because records can arrive meanwhile."""
        places = list(assigned)
        if self._consumer is not None and self._shards is not None:
            self._consumer.pause(*places)
            self._shards.assign([place.partition for place in places])

    async def committed(self, partition: int) -> int:
        """The offset at which reading continues: the committed one or, if there is none, the partition's first. 0 if
        the partition is not assigned. Raises KafkaAway.
        """
        place = TopicPartition(self._topic, partition)
        problem = f"cannot read the committed offset of partition {partition}"
        async with translated(self._settings, problem, seconds=CALL_SECONDS):
            consumer = self._consumer_of(place)
            if consumer is None:
                return 0
            offset: int | None = await consumer.committed(place)
            return (await consumer.beginning_offsets([place]))[place] if offset is None else offset

    async def end(self, partition: int) -> int:
        """The offset that the next command will get. Raises KafkaAway."""
        return (await self.ends([partition]))[partition]

    async def ends(self, partitions: Collection[int]) -> dict[int, int]:
        """The offset that the next command of each partition will get. Raises KafkaAway."""
        return await self._bounds.ends(partitions)

    def seek(self, partition: int, offset: int) -> None:
        place = TopicPartition(self._topic, partition)
        consumer = self._consumer_of(place)
        if consumer is not None:
            consumer.seek(place, offset)

    def pause(self, partition: int) -> None:
        place = TopicPartition(self._topic, partition)
        consumer = self._consumer_of(place)
        if consumer is not None:
            consumer.pause(place)

    def resume(self, partition: int) -> None:
        place = TopicPartition(self._topic, partition)
        consumer = self._consumer_of(place)
        if consumer is not None:
            consumer.resume(place)

    async def commit(self, offsets: dict[int, int]) -> bool:
        """Commits the offsets, and returns whether that succeeded. Logs a failure: commands that are read again are
        recognised by their ids.
        """
        places = {TopicPartition(self._topic, partition): offset for partition, offset in offsets.items()}
        try:
            async with translated(self._settings, "offsets cannot be committed", seconds=CALL_SECONDS):
                if self._consumer is not None:
                    await self._consumer.commit(places)
        except KafkaAway as away:
            log.warning("offsets_not_committed", partitions=sorted(offsets), reason=str(away))
            return False
        return True

    def _consumer_of(self, place: TopicPartition) -> AIOKafkaConsumer | None:
        """The consumer; None if the partition is not assigned to it (any more)."""
        consumer = self._consumer
        return consumer if consumer is not None and place in consumer.assignment() else None


def _broker(settings: Settings) -> KafkaBroker:
    return KafkaBroker(
        connection_options(settings, CLIENT_ID)["bootstrap_servers"],
        client_id=CLIENT_ID,
        consumer_only=True,
        allow_auto_create_topics=False,
        apply_types=False,
        logger=None,
        specification_url="kafka",
    )


def command_record(record: ConsumerRecord[bytes, bytes]) -> CommandRecord:
    # Ignores headers without a value, which Kafka allows although aiokafka's types do not. Also ignores a key and
    # headers that are too large to be repeated in an answer: one fetch may have hundreds of records, each with 64 MiB
    # of headers.
    is_bare = record.headers is UNREAD_HEADERS
    headers: Iterable[tuple[str, bytes | None]] = () if is_bare else record.headers
    given = tuple(
        (name, value) for name, value in headers if value is not None and len(name) + len(value) <= DEAD_LETTER_BYTES
    )
    key = record.key if len(record.key or b"") <= DEAD_LETTER_BYTES else None
    value: bytes | None = record.value
    lost_from = value.first_offset if isinstance(value, LostBatch) else None
    if value is not None and len(value) > ENVELOPE_BYTES:
        value = value[: ENVELOPE_BYTES + 1]  # still too long, so the command is refused for its size
    return CommandRecord(record.offset, key, value, given, record.timestamp, lost_from, is_bare)


async def _parse(records: tuple[ConsumerRecord[bytes, bytes], ...]) -> KafkaMessage:
    """Passes the raw records on. FastStream's own parser would decode headers, and fail on bytes that are not UTF-8."""
    return KafkaMessage(raw_message=records, body=b"", consumer=FAKE_CONSUMER)


async def _decode(message: KafkaMessage) -> Any:
    return message.raw_message
