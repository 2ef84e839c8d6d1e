"""Publishes a shard's answers: replies, forwarded commands and refused ones. Waits for every acknowledgement."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

from daybook_command.kafka.answer_records import Outgoing, outgoing
from daybook_command.shard.effects import Answer, Reply
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.replaceable import ReplaceableProducer
from daybook_infra.runtime.kafka.replies import Replies
from daybook_infra.runtime.logs import get_logger
from daybook_infra.runtime.settings import Settings

log = get_logger(__name__)

PUBLISH_SECONDS = 10.0
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)

Fate = BaseException | None


class Outbox:
    """Publishing a record twice is harmless: readers know commands by their ids."""

    def __init__(self, settings: Settings, topics: Topics, replies: Replies) -> None:
        self._topics = topics
        self._replies = replies
        # Anyone may ask for a reply, and some clients cannot decompress (kafkajs, aiokafka without cramjam).
        self._results = ReplaceableProducer(settings, "daybook-command-results", compressed=False)
        self._commands = ReplaceableProducer(settings, "daybook-command-outbox")

    async def stop(self) -> None:
        await asyncio.gather(self._results.stop(), self._commands.stop())

    async def publish(self, partition: int, answer: Answer) -> None:
        """Returns once everything is acknowledged; raises KafkaAway where that is not known.
        A record that is too large stays too large: waiting for it would stop its partition for good.
        """
        remote = tuple(reply for reply in answer.replies if not self._answered_here(reply))
        records = outgoing(self._topics, partition, replace(answer, replies=remote))
        results = [record for record in records if record.topic == self._topics.results]
        others = [record for record in records if record.topic != self._topics.results]
        ends = await asyncio.gather(
            self._publish(self._results, partition, results),
            self._publish(self._commands, partition, others),
            return_exceptions=True,  # neither is left running when the other one fails
        )
        for end in ends:
            if end is not None:
                raise end

    async def _publish(self, producers: ReplaceableProducer, partition: int, records: Sequence[Outgoing]) -> None:
        while records:
            fates = await self._sent(producers, partition, records)
            records = [left for record, fate in zip(records, fates, strict=True) if (left := _left(record, fate))]

    def _answered_here(self, reply: Reply) -> bool:
        """Resolves the reply to a request that waits in this process, without a round trip over Kafka."""
        asked = reply.correlation_id
        return asked is not None and self._replies.resolve(asked.decode("latin-1"), reply.value)

    async def _sent(self, producers: ReplaceableProducer, partition: int, records: Sequence[Outgoing]) -> list[Fate]:
        """Each record's error, None if it was acknowledged. Raises KafkaAway unless at least one was too large."""
        problem = f"the answers of partition {partition} were not acknowledged"
        async with producers.use(problem, seconds=PUBLISH_SECONDS) as producer:
            acks = [await _send(producer, record) for record in records]
            fates: list[Fate] = [
                fate if isinstance(fate, BaseException) else None
                for fate in await asyncio.gather(*acks, return_exceptions=True)
            ]
            _raise_unless_too_large(fates)
        if any(fates):
            # Its sequence numbers are lost: all records after the refused one failed too, and are sent again.
            producers.discard(producer)
        return fates


async def _send(producer: AIOKafkaProducer, record: Outgoing) -> "asyncio.Future[object]":
    """The future acknowledgement; also fails if aiokafka refuses the record as over its `max_request_size`."""
    try:
        sent: asyncio.Future[object] = await producer.send(
            record.topic, record.value, key=record.key, partition=record.partition, headers=record.headers
        )
    except MessageSizeTooLargeError as error:
        sent = asyncio.get_running_loop().create_future()
        sent.set_exception(error)
    return sent


def _raise_unless_too_large(fates: Sequence[Fate]) -> None:
    failed = [fate for fate in fates if fate is not None]
    if failed and not any(isinstance(fate, _TOO_LARGE) for fate in failed):
        raise failed[0]


def _left(record: Outgoing, fate: Fate) -> Outgoing | None:
    """What is still to be sent of a record."""
    if fate is None:
        return None
    if not isinstance(fate, _TOO_LARGE):
        return record
    log.warning("record_too_large", topic=record.topic, partition=record.partition, dropped=record.instead is None)
    return record.instead
