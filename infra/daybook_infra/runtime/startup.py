"""What a service does before it accepts requests: it waits for its servers and checks how they are set up."""

import gc
from collections.abc import Sequence

from daybook_infra.runtime.kafka.topics import verify_topics
from daybook_infra.runtime.postgres.migrations import verify_migrations
from daybook_infra.runtime.postgres.privileges import RequiredPrivilege, verify_privileges
from daybook_infra.runtime.retrying import retry_at_start
from daybook_infra.runtime.settings import Settings


async def verify_servers(settings: Settings, required: Sequence[RequiredPrivilege], group: str) -> None:
    """Waits for Kafka and PostgreSQL. Then checks this role's privileges, the topics, the access to the consumer group
    and the schema, in this order. Raises the `DaybookError` of the first check that fails.
    """
    await retry_at_start(lambda: verify_privileges(settings, required))
    await retry_at_start(lambda: verify_topics(settings, group))
    await retry_at_start(lambda: verify_migrations(settings))


def freeze_startup_objects() -> None:
    """Exempts the objects that exist now from garbage collection, and raises the thresholds: with Python's defaults, a
    collection would run every few hundred entries.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
