"""Outages last as long as they last: what a service that runs needs of a server is tried until it succeeds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from daybook_infra.runtime.cancelling import heed_cancellation
from daybook_infra.runtime.errors import DatabaseAway, KafkaAway

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0

T = TypeVar("T")


async def retrying(attempt: Callable[[], Awaitable[T]], tell: Callable[[DatabaseAway | KafkaAway], None]) -> T:
    """The one place of retries: each pause is twice as long as the one before, and bounded. `tell` hears of each
    failure.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return await attempt()
        except (DatabaseAway, KafkaAway) as away:
            heed_cancellation()
            tell(away)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
