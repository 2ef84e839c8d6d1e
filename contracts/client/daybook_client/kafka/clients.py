"""Makes aiokafka clients with the options that Daybook's guarantees depend on."""

import asyncio
import itertools
import logging
from typing import Literal, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

from daybook_client.kafka.connection import MIB, KafkaConnection, fetch_options
from daybook_client.kafka.outages import OUTAGES

# The dead-letter topic's limit, the largest of all (docs/log.md, rule 6).
MAX_REQUEST_BYTES = 5 * MIB
# The group notices a dead member after this time. Brokers with default settings refuse less than 6 s.
SESSION_TIMEOUT_MS = 6_000
# Members learn of a new generation of the group at their next heartbeat. Except for the session timeout, this is the
# longest part of a takeover.
HEARTBEAT_MS = 250

Reset = Literal["earliest", "latest", "none"]

log = logging.getLogger(__name__)


class Stoppable(Protocol):
    async def stop(self) -> None: ...


Client = TypeVar("Client", AIOKafkaProducer, AIOKafkaConsumer)


def producer(
    connection: KafkaConnection, client_id: str, *, batch_bytes: int = 512 * 1024, compressed: bool = True
) -> AIOKafkaProducer:
    """Idempotent, `acks=all`, no lingering. `batch_bytes` bounds a record batch before compression. Sends do not time
    out, so give each a deadline. If a deadline passes, close the producer, because its sequence numbers are no longer
    valid.
    """
    return AIOKafkaProducer(
        **connection.options(client_id),
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=batch_bytes,
        max_request_size=MAX_REQUEST_BYTES,
        compression_type="zstd" if compressed else None,
    )


def consumer(
    connection: KafkaConnection,
    client_id: str,
    *topics: str,
    group: str | None = None,
    bulk: bool = False,
    reset: Reset = "earliest",
) -> AIOKafkaConsumer:
    """Never commits offsets by itself. `bulk`: fetches for throughput (as the projector does), otherwise for latency.
    Without topics and a group, call `assign` and `seek`.
    """
    return AIOKafkaConsumer(
        *topics,
        **connection.options(client_id),
        **fetch_options(bulk=bulk),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset=reset,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
    )


async def start(client: Client) -> Client:
    """Starts a producer or consumer. If that fails or is cancelled, closes the client."""
    try:
        await client.start()
    except BaseException:  # a cancellation too: a half-started client must not stay connected
        await close_quietly(client)
        raise
    return client


async def close_quietly(client: Stoppable, seconds: float = 5.0) -> None:
    """Stops a client, but waits no longer than twice `seconds`: aiokafka's `stop` may wait for ever. If the deadline
    passes, the outcome of the records that a producer still held is unknown.
    """
    stopping = asyncio.create_task(client.stop())
    await asyncio.wait([stopping], timeout=seconds)
    fault = _stop_fault(stopping)
    if fault is not None:
        log.warning("kafka_client_abandoned", extra={"client": type(client).__name__, "reason": fault})
        if isinstance(client, AIOKafkaProducer):
            await _close_at_once(client, seconds)


def _stop_fault(stopping: "asyncio.Task[None]") -> str | None:
    """Why a client did not stop properly; None if it did."""
    if not stopping.done():
        stopping.cancel()
        return "deadline passed"
    # If Kafka is away, a consumer's `stop` may cancel itself.
    error = None if stopping.cancelled() else stopping.exception()
    if error is not None and not isinstance(error, OUTAGES):
        raise error
    return None if error is None else repr(error)


async def _close_at_once(producer: AIOKafkaProducer, seconds: float) -> None:
    # Uses private attributes, because aiokafka has no public way to close a producer at once. Its sender task would go
    # on retrying, and could append to a log that other writers have extended meanwhile.
    sender, client = producer._sender.sender_task, producer.client  # noqa: SLF001 - as said above
    _fail_all_batches(producer)
    client._maybe_wait_metadata = _nothing_to_wait_for  # type: ignore[method-assign] # noqa: SLF001 - as above
    if sender is not None:
        sender.cancel()  # then it waits until its requests end, which happens when their connections are closed
    try:
        async with asyncio.timeout(seconds):
            await client.close()
            refresh = client._md_update_fut  # noqa: SLF001 - as above
            if refresh is not None and not refresh.done():
                refresh.set_result(False)
            if sender is not None:
                await asyncio.wait([sender])
                await client.close()  # the requests may have opened connections
    except OUTAGES as error:
        log.warning("kafka_connection_abandoned", extra={"reason": str(error) or "deadline passed"})


def _fail_all_batches(producer: AIOKafkaProducer) -> None:
    accumulator = producer._message_accumulator  # noqa: SLF001 - for `_close_at_once`
    unsent, sent = accumulator._batches, accumulator._pending_batches  # noqa: SLF001 - for `_close_at_once`
    batches = [*sent, *itertools.chain.from_iterable(unsent.values())]
    sent.update(batches)  # a batch that was sent once removes itself from `sent` when it fails
    unsent.clear()
    accumulator.reenqueue = _drop  # type: ignore[method-assign] # instead of retrying a request that fails
    accumulator.fail_all(KafkaTimeoutError("closed before it was acknowledged"))
    for batch in batches:
        results = [result for result, _ in batch._msg_futures]  # noqa: SLF001 - for `_close_at_once`
        for future in (batch.future, batch._drain_waiter, *results):  # noqa: SLF001 - for `_close_at_once`
            if not future.cancelled():
                future.exception()  # asyncio logs every error that nobody retrieves


def _drop(_batch: object) -> None: ...


async def _nothing_to_wait_for() -> None: ...
