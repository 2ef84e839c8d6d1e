"""A consumer whose `getmany` waits until there are records."""

from typing import Any, Final

from aiokafka import AIOKafkaConsumer

# If records are left over because another consumer has used up the portion (`fair_fetching`), nothing wakes `getmany`.
# It looks again after this time.
LONGEST_WAIT_MS: Final = 100


class WaitingConsumer(AIOKafkaConsumer):
    """FastStream polls: if a poll returns no records, it sleeps as long as the poll waited. So records that arrive
    meanwhile wait, and an idle service polls all the time. With this consumer, a poll ends when records arrive.
    """

    async def getmany(
        self,
        *partitions: Any,
        timeout_ms: int = 0,  # noqa: ARG002 - waits as long as it takes
        max_records: int | None = None,
    ) -> dict[Any, Any]:
        """Never returns without records. Raises `ConsumerStoppedError` when the consumer is stopped."""
        found: dict[Any, Any] = {}
        while not found:
            found = await super().getmany(*partitions, timeout_ms=LONGEST_WAIT_MS, max_records=max_records)
        return found
