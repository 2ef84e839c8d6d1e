"""Retries calls that fail because Kafka or PostgreSQL is away. The library stamina computes the pauses and sleeps."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

import stamina

from daybook_infra.runtime.errors import DatabaseAway, KafkaAway
from daybook_infra.runtime.logs import get_logger

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
# At start, a service waits this long for servers that may be starting too.
START_SECONDS = 60.0
START_PAUSE_SECONDS = 0.5

T = TypeVar("T")
Attempt = Callable[[], Awaitable[T]]
Outage = DatabaseAway | KafkaAway

_OUTAGES: Final = (DatabaseAway, KafkaAway)
_forever: Final = stamina.AsyncRetryingCaller(
    attempts=None,
    timeout=None,
    wait_initial=FIRST_PAUSE_SECONDS,
    wait_max=LONGEST_PAUSE_SECONDS,
    wait_jitter=FIRST_PAUSE_SECONDS,
    wait_exp_base=2.0,
)
_at_start: Final = stamina.AsyncRetryingCaller(
    attempts=None,
    timeout=START_SECONDS,
    wait_initial=START_PAUSE_SECONDS,
    wait_max=START_PAUSE_SECONDS,
    wait_jitter=0.0,
)
# stamina's hooks would log each retry a second time, with the call's arguments, and count it in an extra metric.
stamina.instrumentation.set_on_retry_hooks([])

log = get_logger(__name__)


def retry_forever(attempt: Attempt[T], note_failure: Callable[[Outage], None]) -> Coroutine[Any, Any, T]:
    """Calls `attempt` until it succeeds, with growing pauses of at most LONGEST_PAUSE_SECONDS. Passes each outage to
    `note_failure`.
    """
    return _retry(_forever, attempt, note_failure)


def retry_at_start(attempt: Attempt[T]) -> Coroutine[Any, Any, T]:
    """Calls `attempt` until it succeeds. Raises the last outage after START_SECONDS."""
    return _retry(_at_start, attempt, lambda away: log.warning("waiting_for_server", reason=str(away)))


async def _retry(caller: stamina.AsyncRetryingCaller, attempt: Attempt[T], note_failure: Callable[[Outage], None]) -> T:
    # The first attempt runs without stamina, whose preparations cost more than most attempts. If it fails, `try_again`
    # raises its failure once more, so that stamina pauses before the second attempt.
    try:
        return await attempt()
    except _OUTAGES as away:
        failures: list[Outage] = [away]

    async def try_again() -> T:
        try:
            if failures:
                raise failures.pop()
            return await attempt()
        except _OUTAGES as away:
            _raise_if_cancelled()
            note_failure(away)
            raise

    return await caller(_OUTAGES, try_again)


def _raise_if_cancelled() -> None:
    """Cleaning up after a cancellation can fail, for example a rollback on a lost connection. The task then gets an
    outage instead of CancelledError, and without this check it would retry forever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
