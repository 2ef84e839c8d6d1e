"""Publishes a shard's answers: replies, forwarded commands and refused ones. Waits for every acknowledgement."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from msgspec.structs import replace

from daybook_client.kafka.replaceable import ReplaceableProducer
from daybook_client.kafka.replies import Replies
from daybook_command.kafka.answer_records import OutgoingRecord, records_of
from daybook_command.shard.effects import Answer, Reply
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.logs import get_logger
from daybook_infra.runtime.settings import Settings

log = get_logger(__name__)

PUBLISH_SECONDS = 10.0
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)

# Why a record was not acknowledged; None if it was.
SendError = BaseException | None


class AnswerPublisher:
    """A record may be published twice. This is harmless, because readers recognise commands by their ids."""

    def __init__(self, settings: Settings, topics: Topics, replies: Replies) -> None:
        self._topics, connection = topics, connection_of(settings)
        self._replies = replies
        # Not compressed: any client may ask for a reply, and some cannot decompress (kafkajs, aiokafka without
        # cramjam).
        self._results = ReplaceableProducer(connection, "daybook-command-results", compressed=False)
        self._commands = ReplaceableProducer(connection, "daybook-command-answers")

    async def stop(self) -> None:
        await asyncio.gather(self._results.stop(), self._commands.stop())

    async def publish(self, partition: int, answer: Answer) -> None:
        """Returns when all records are acknowledged; raises KafkaAway if any is not. A record that is too large is
        replaced or dropped, because retrying it would block its partition for ever.
        """
        remote = tuple(reply for reply in answer.replies if not self.resolve_here(reply))
        records = records_of(self._topics, partition, replace(answer, replies=remote))
        results = [record for record in records if record.topic == self._topics.results]
        others = [record for record in records if record.topic != self._topics.results]
        if not others:  # nearly always, so it must be quick
            await self._publish(self._results, partition, results)
            return
        errors = await asyncio.gather(
            self._publish(self._results, partition, results),
            self._publish(self._commands, partition, others),
            return_exceptions=True,  # waits for both, even if one of them fails
        )
        for error in errors:
            if error is not None:
                raise error

    def resolve_here(self, reply: Reply) -> bool:
        """Passes the reply directly to a request that waits in this process. False if there is no such request."""
        correlation_id = reply.correlation_id
        return correlation_id is not None and self._replies.resolve(correlation_id.decode("latin-1"), reply.value)

    async def _publish(self, producers: ReplaceableProducer, partition: int, records: Sequence[OutgoingRecord]) -> None:
        while records:
            errors = await self._send_all(producers, partition, records)
            remaining = (_still_to_send(record, error) for record, error in zip(records, errors, strict=True))
            records = [record for record in remaining if record is not None]

    async def _send_all(
        self, producers: ReplaceableProducer, partition: int, records: Sequence[OutgoingRecord]
    ) -> list[SendError]:
        """The error of each record. Raises KafkaAway instead if records failed and none of them is too large."""
        problem = f"the answers of partition {partition} were not acknowledged"
        async with producers.use(problem, seconds=PUBLISH_SECONDS) as producer:
            acks = [await _send(producer, record) for record in records]
            errors: list[SendError] = [
                outcome if isinstance(outcome, BaseException) else None
                for outcome in await asyncio.gather(*acks, return_exceptions=True)
            ]
            _raise_unless_too_large(errors)
        if any(errors):
            # If the broker refused a record, the producer's sequence numbers have a gap, so later records to the same
            # partition failed too. A new producer sends them again.
            producers.discard(producer)
        return errors


async def _send(producer: AIOKafkaProducer, record: OutgoingRecord) -> "asyncio.Future[object]":
    """A future for the acknowledgement. It fails too if aiokafka refuses the record because of `max_request_size`."""
    try:
        ack: asyncio.Future[object] = await producer.send(
            record.topic, record.value, key=record.key, partition=record.partition, headers=record.headers
        )
    except MessageSizeTooLargeError as error:
        ack = asyncio.get_running_loop().create_future()
        ack.set_exception(error)
    return ack


def _raise_unless_too_large(errors: Sequence[SendError]) -> None:
    failures = [error for error in errors if error is not None]
    if failures and not any(isinstance(error, _TOO_LARGE) for error in failures):
        raise failures[0]


def _still_to_send(record: OutgoingRecord, error: SendError) -> OutgoingRecord | None:
    """The record that still has to be sent: the same one, its fallback, or None."""
    if error is None:
        return None
    if not isinstance(error, _TOO_LARGE):
        return record
    log.warning("record_too_large", topic=record.topic, partition=record.partition, dropped=record.fallback is None)
    return record.fallback
