"""A consumer whose `getmany` waits until there are records, also while Kafka refuses them."""

import asyncio
import time
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from daybook_client.kafka.refusals import DENIALS

# If records are left over because another consumer has used up the portion of bytes to decompress (`fair_fetching`),
# nothing wakes `getmany`. It looks again after this time.
LONGEST_WAIT_MS: Final = 100
DENIED_PAUSE_SECONDS: Final = 1.0
# How long `failure` reports an error. A lasting error recurs every second, or after FastStream's pause of 5 s.
FAILURE_SECONDS: Final = 10.0


class WaitingConsumer(AIOKafkaConsumer):
    """FastStream polls: if a poll returns no records, it sleeps as long as the poll waited. So records that arrive
    meanwhile wait, and an idle service polls all the time. With this consumer, a poll ends when records arrive.
    """

    _failure: KafkaError | None = None
    _failed_at = 0.0

    @property
    def failure(self) -> KafkaError | None:
        """Why no records could be fetched, if that was the case lately."""
        return self._failure if time.monotonic() - self._failed_at < FAILURE_SECONDS else None

    async def getmany(
        self,
        *partitions: Any,
        timeout_ms: int = 0,  # noqa: ARG002 - waits as long as it takes
        max_records: int | None = None,
    ) -> dict[Any, Any]:
        """Never returns without records. Raises `ConsumerStoppedError` when the consumer is stopped, and `KafkaError`
        for all errors but missing ACLs. When an ACL is granted, the consumer recovers.
        """
        found: dict[Any, Any] = {}
        while not found:
            try:
                found = await super().getmany(*partitions, timeout_ms=LONGEST_WAIT_MS, max_records=max_records)
            except KafkaError as error:
                self._failure, self._failed_at = error, time.monotonic()
                self._rejoin_if_heartbeats_ended()
                if not isinstance(error, DENIALS):
                    raise
                await asyncio.sleep(DENIED_PAUSE_SECONDS)
        return found

    def _rejoin_if_heartbeats_ended(self) -> None:
        """Joins the group again if aiokafka's heartbeats have ended: an error, such as a missing ACL on the group, ends
        them. Only joining again starts new ones, and a member without heartbeats never reads again.
        """
        coordinator = self._coordinator
        heartbeats = getattr(coordinator, "_heartbeat_task", None)
        if coordinator is not None and (heartbeats is None or heartbeats.done()):
            coordinator.request_rejoin()
