"""Finds the dead letter of a record of the commands topic that was refused without an entry."""

import asyncio
from dataclasses import dataclass

from daybook_infra.runtime.settings import Settings
from support.topics import reading


@dataclass(frozen=True, slots=True)
class DeadLetter:
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]

    @property
    def reason(self) -> str:
        return self.headers["daybook-reason"].decode()

    @property
    def origin(self) -> str:
        return self.headers["daybook-origin"].decode()


async def dead_letter(settings: Settings, partition: int, offset: int, seconds: float = 20) -> DeadLetter:
    """The dead letter of the command at this place. Raises TimeoutError if none comes."""
    origin = f"{settings.topic_prefix}commands/{partition}/{offset}"
    async with reading(settings, "commands.dlq") as consumer, asyncio.timeout(seconds):
        async for record in consumer:
            letter = DeadLetter(record.key, record.value, dict(record.headers))
            if letter.origin == origin:
                return letter
    raise AssertionError("the consumer stopped; it should wait for records until the time is up")
