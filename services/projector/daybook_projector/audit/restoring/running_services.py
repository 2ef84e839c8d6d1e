"""Finds out whether services run, as far as Kafka and PostgreSQL can tell: settings in, a text for each running service
out.
"""

import asyncio
from typing import Final

from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.groups import members_of
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.restoring.refused import Refused

# A service that has just stopped may still seem connected.
SETTLE_SECONDS: Final = 3.0
PAUSE_SECONDS: Final = 0.2

# Application names in PostgreSQL. Only a superuser or a member of pg_monitor sees those of other roles.
CONNECTED: Final = """
SELECT application_name, count(*) FROM pg_stat_activity
 WHERE datname = current_database()
   AND application_name IN ('daybook-command', 'daybook-command-door', 'daybook-projector')
 GROUP BY 1 ORDER BY 1
"""


async def refuse_running(settings: Settings) -> None:
    """Raises `KafkaAway` and `DatabaseAway`, and `Refused` if a service is running."""
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while found := await _running(settings):
        if asyncio.get_running_loop().time() > deadline:
            raise Refused(
                f"services are running ({', '.join(found)}): stop all of them first. A service that was killed may "
                "still be listed for a few seconds"
            )
        await asyncio.sleep(PAUSE_SECONDS)


async def _running(settings: Settings) -> list[str]:
    topics = Topics(settings.topic_prefix)
    found = []
    for group in (topics.command_group, topics.projector_group):
        members = await members_of(settings, group)
        if members:
            found.append(f"consumer group {group} has {len(members)} members")
    async with connect(settings, "daybook-restore-topic") as connection:
        rows = await connection.fetch(CONNECTED)
    return found + [f"{name} is connected to PostgreSQL" for name, _ in rows]
