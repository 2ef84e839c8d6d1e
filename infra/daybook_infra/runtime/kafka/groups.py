"""Who is in a consumer group: its name in, the clients of its members out."""

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

# Kafka creates its offsets topic on the first request for a group, and reads it after a restart.
COORDINATOR_SECONDS = 20.0
PAUSE_SECONDS = 0.2
_NOT_YET = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)


async def members_of(settings: Settings, group: str) -> tuple[str, ...]:
    """The client ids of the members; none if there is no such group. An instance that was killed is a member until its
    session ends. Raises `KafkaAway`.
    """
    deadline = asyncio.get_running_loop().time() + COORDINATOR_SECONDS
    async with admin(settings) as client:
        while True:
            try:
                described = await _describe(client, group)
            except _NOT_YET as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise KafkaAway(f"Kafka does not say who is in group {group}: {error!r}") from error
            else:
                return tuple(member["client_id"] for member in described["members"])
            await asyncio.sleep(PAUSE_SECONDS)


async def _describe(client: AIOKafkaAdminClient, group: str) -> dict[str, Any]:
    # One group for each request: aiokafka reads only the first one of an answer rightly.
    (response,) = await client.describe_consumer_groups([group])
    (described,) = response.to_object()["groups"]
    if described["error_code"]:
        raise for_code(described["error_code"])(group)
    found: dict[str, Any] = described
    return found
