"""What a shard answers, published: replies, forwarded commands and dead letters. It waits for every acknowledgement."""

import asyncio
from collections.abc import Awaitable, Iterator

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from daybook_command.producers import ReplaceableProducer
from daybook_command.replies import Replies
from daybook_command.shard.messages import Answer, CommandRecord, DeadLetter, Forward, Headers, Reply
from daybook_contracts.topics import (
    CORRELATION_ID,
    FORWARDED_FROM,
    ORIGIN,
    REASON,
    RESULT_EVENT,
    Topics,
    event_headers,
)
from daybook_infra.errors import KafkaAway
from daybook_infra.settings import Settings

PUBLISH_SECONDS = 10.0


class Outbox:
    """Publishing again what may have been published already is harmless: every reader knows commands by their id."""

    def __init__(self, settings: Settings, topics: Topics, replies: Replies) -> None:
        self._topics = topics
        self._replies = replies
        self._producers = ReplaceableProducer(settings, "daybook-command-outbox")

    async def stop(self) -> None:
        await self._producers.stop()

    async def publish(self, partition: int, answer: Answer) -> None:
        """Returns once everything is acknowledged; raises KafkaAway where that is not known."""
        remote = [reply for reply in answer.replies if not self._answered_here(reply)]
        if not (remote or answer.forwards or answer.dead_letters):
            return
        producer: AIOKafkaProducer | None = None
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                producer = await self._producers.get()
                sends = list(self._sends(producer, partition, remote, answer))
                acks = [await send for send in sends]
                await asyncio.gather(*acks)
        except (KafkaError, OSError, TimeoutError) as error:
            self._producers.discard(producer)
            raise KafkaAway(f"the answers of partition {partition} were not acknowledged: {error!r}") from error

    def _answered_here(self, reply: Reply) -> bool:
        """A request that waits in this process needs no round trip over Kafka."""
        return self._replies.resolve(reply.correlation_id.decode("latin-1"), reply.value)

    def _sends(
        self, producer: AIOKafkaProducer, partition: int, replies: list[Reply], answer: Answer
    ) -> Iterator[Awaitable[asyncio.Future[object]]]:
        for reply in replies:
            headers = event_headers(RESULT_EVENT, reply.command_id, reply.command_id, reply.traceparent)
            headers.append((CORRELATION_ID, reply.correlation_id))
            yield producer.send(
                self._topics.results,
                reply.value,
                key=reply.command_id.encode(),
                partition=reply.partition,
                headers=headers,
            )
        for forward in answer.forwards:
            yield self._forward(producer, partition, forward)
        for letter in answer.dead_letters:
            yield self._dead_letter(producer, partition, letter)

    def _forward(
        self, producer: AIOKafkaProducer, partition: int, forward: Forward
    ) -> Awaitable[asyncio.Future[object]]:
        record = forward.record
        headers = _with(record.headers, (FORWARDED_FROM, self._origin(partition, record)))
        return producer.send(
            self._topics.commands, record.value, key=record.key, partition=forward.partition, headers=headers
        )

    def _dead_letter(
        self, producer: AIOKafkaProducer, partition: int, letter: DeadLetter
    ) -> Awaitable[asyncio.Future[object]]:
        record = letter.record
        origin = (ORIGIN, self._origin(partition, record))
        headers = _with(record.headers, (REASON, letter.reason.encode()), origin)
        # aiokafka sends no record that has neither key nor value; such a letter gets an empty value.
        nothing = record.key is None and record.value is None
        value = b"" if nothing or not letter.keep_value else record.value
        return producer.send(
            self._topics.commands_dlq, value, key=record.key, partition=letter.partition, headers=headers
        )

    def _origin(self, partition: int, record: CommandRecord) -> bytes:
        return f"{self._topics.commands}/{partition}/{record.offset}".encode()


def _with(headers: Headers, *more: tuple[str, bytes]) -> list[tuple[str, bytes]]:
    """The headers as they came, ours last; one of ours that came along is replaced."""
    ours = {name for name, _ in more}
    return [*(header for header in headers if header[0] not in ours), *more]
