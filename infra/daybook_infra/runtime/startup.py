"""What a service does before it serves: waits for its servers, and refuses ones that are not as they must be."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from daybook_infra.runtime.errors import DatabaseAway, KafkaAway
from daybook_infra.runtime.kafka.topics import verify_topics
from daybook_infra.runtime.logs import get_logger
from daybook_infra.runtime.postgres.migrations import verify_migrations
from daybook_infra.runtime.postgres.privileges import Need, verify_rights
from daybook_infra.runtime.settings import Settings

# Servers that are started together with us get this long to come up.
BOOT_SECONDS = 60.0
PAUSE_SECONDS = 0.5

T = TypeVar("T")
log = get_logger(__name__)


async def verified(settings: Settings, needs: Sequence[Need], group: str) -> None:
    """The rights are there, in PostgreSQL and for the consumer group, and topics and schema are those of this version.
    Raises a `DaybookError` of what is not, or of what is away.
    """
    await once_up(lambda: verify_rights(settings, needs))
    await once_up(lambda: verify_topics(settings, group))
    await once_up(lambda: verify_migrations(settings))


async def once_up(attempt: Callable[[], Awaitable[T]]) -> T:
    """Tries again while a server is away; raises its last error after BOOT_SECONDS."""
    deadline = asyncio.get_running_loop().time() + BOOT_SECONDS
    while True:
        try:
            return await attempt()
        except (KafkaAway, DatabaseAway) as away:
            if asyncio.get_running_loop().time() > deadline:
                raise
            log.warning("waiting_for_server", reason=str(away))
            await asyncio.sleep(PAUSE_SECONDS)
