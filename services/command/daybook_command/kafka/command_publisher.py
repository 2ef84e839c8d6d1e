"""The HTTP door's way into the commands topic: records in, the fate of each out.
What a command says is not known here.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError

from daybook_contracts.topics import Headers
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka.outages import translated
from daybook_infra.runtime.kafka.refusals import describe_error
from daybook_infra.runtime.kafka.replaceable import ReplaceableProducer
from daybook_infra.runtime.logs import get_logger
from daybook_infra.runtime.settings import Settings

# Long enough for a broker's restart or an election of leaders; a sender of HTTP gives up soon after.
PUBLISH_SECONDS = 5.0
FAULT_SECONDS = 10.0
# Handing one over takes 30 to 100 µs: this many, a few milliseconds.
RECORDS_IN_A_TURN = 50
PROBLEM = "commands cannot be published to Kafka"
# The broker answered, and what it answered is final.
_REFUSALS = (MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CommandToSend:
    partition: int
    key: bytes
    value: bytes
    headers: Headers


class Fate(StrEnum):
    """What became of a record. Only a record that Kafka never saw is NOTHING_DONE."""

    PUBLISHED = "published"
    NOTHING_DONE = "nothing_done"
    UNKNOWN = "unknown"


class Publisher:
    """Records of one call go through one producer, in order: a later one of the same partition never overtakes."""

    def __init__(self, settings: Settings, topic: str, seconds: float = PUBLISH_SECONDS) -> None:
        self._topic = topic
        self._seconds = seconds
        self._producers = ReplaceableProducer(settings, "daybook-command-door")
        self._settings = settings
        self._failed_at: float | None = None
        self._reason = ""

    @property
    def fault(self) -> str | None:
        """For health: what was last published failed, a moment ago. (Who is not ready may not be asked again.)"""
        if self._failed_at is None or asyncio.get_running_loop().time() - self._failed_at > FAULT_SECONDS:
            return None
        return self._reason

    async def stop(self) -> None:
        await self._producers.stop()

    async def publish(self, records: Sequence[CommandToSend]) -> list[Fate]:
        """The fate of each: `seconds` for a connection, if there is none, and as long for the acknowledgements."""
        try:
            async with translated(self._settings, PROBLEM, seconds=self._seconds):
                producer = await self._producers.get()
        except KafkaAway as away:
            self._note_failure(str(away))
            log.warning("door_without_kafka", reason=str(away))
            return [Fate.NOTHING_DONE] * len(records)
        sent = await self._send(producer, records)
        fates = [_fate(each) for each in sent]
        if fates == [Fate.PUBLISHED] * len(records):
            self._failed_at = None
        else:
            error = next(filter(None, map(_error, sent)), TimeoutError("not acknowledged in time"))
            self._note_failure(f"{PROBLEM}: {describe_error(self._settings, error)}")
            log.warning("door_producer_discarded", unknown=fates.count(Fate.UNKNOWN), unsent=len(records) - len(sent))
            self._producers.discard(producer)
        return fates + [Fate.NOTHING_DONE] * (len(records) - len(sent))

    def _note_failure(self, reason: str) -> None:
        self._failed_at = asyncio.get_running_loop().time()
        self._reason = reason

    async def _send(
        self, producer: AIOKafkaProducer, records: Sequence[CommandToSend]
    ) -> list["asyncio.Future[object]"]:
        """A future for each record that the producer took; all but those of unknown fate are done."""
        sent: list[asyncio.Future[object]] = []
        try:
            async with translated(self._settings, PROBLEM, seconds=self._seconds):
                for number, each in enumerate(records):
                    if number % RECORDS_IN_A_TURN == RECORDS_IN_A_TURN - 1:
                        await asyncio.sleep(0)  # the producer itself waits for nothing while it has room
                    sent.append(await self._send_one(producer, each))  # those taken must survive a raise
                await asyncio.wait(sent)
        except KafkaAway as away:
            log.warning("door_publish_failed", reason=str(away))
        return sent

    async def _send_one(self, producer: AIOKafkaProducer, each: CommandToSend) -> "asyncio.Future[object]":
        sent: asyncio.Future[object] = await producer.send(
            self._topic, each.value, key=each.key, partition=each.partition, headers=each.headers
        )
        return sent


def _error(sent: "asyncio.Future[object]") -> BaseException | None:
    return sent.exception() if sent.done() and not sent.cancelled() else None


def _fate(sent: "asyncio.Future[object]") -> Fate:
    if not sent.done():
        sent.cancel()  # nobody will look at what it still may become
        return Fate.UNKNOWN
    error = sent.exception()
    if error is None:
        return Fate.PUBLISHED
    log.warning("door_publish_failed", reason=repr(error))
    return Fate.NOTHING_DONE if isinstance(error, _REFUSALS) else Fate.UNKNOWN
