"""Lists the members of a consumer group: its name in, its members' client ids out."""

import asyncio
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    for_code,
)

from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.settings import Settings

# A group has no coordinator while Kafka creates its offsets topic, on the first request for a group, or reads that
# topic after a restart.
COORDINATOR_SECONDS = 20.0
PAUSE_SECONDS = 0.2
_NO_COORDINATOR_YET = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)


async def members_of(settings: Settings, group: str) -> tuple[str, ...]:
    """The client ids of the members; empty if the group does not exist. An instance that was killed stays a member
    until its session expires. Raises `KafkaAway`.
    """
    deadline = asyncio.get_running_loop().time() + COORDINATOR_SECONDS
    async with admin(settings) as client:
        while True:
            try:
                described = await _describe(client, group)
            except _NO_COORDINATOR_YET as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise KafkaAway(f"Kafka does not say who is in group {group}: {error!r}") from error
            else:
                return tuple(member["client_id"] for member in described["members"])
            await asyncio.sleep(PAUSE_SECONDS)


async def _describe(client: AIOKafkaAdminClient, group: str) -> dict[str, Any]:
    # One request for each group, because aiokafka parses only the first group of an answer correctly.
    (response,) = await client.describe_consumer_groups([group])
    (described,) = response.to_object()["groups"]
    if described["error_code"]:
        raise for_code(described["error_code"])(group)
    found: dict[str, Any] = described
    return found
