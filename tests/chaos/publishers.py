"""Publishers as a careful client writes them: with ids of their own, until answered. `insist` sends again whatever it
was told; `trust` and `publish` never send again what was promised once: what is lost then stays lost, and is seen.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

import httpx
from aiokafka.errors import KafkaError

from chaos.history import History
from daybook_infra.runtime.settings import Settings
from support.chain import Json
from support.driving import without_failure
from support.publisher import Door, Publisher, Send, decided, doors

# Longer than any fault and all that comes after it.
PATIENCE_SECONDS = 150.0
PUBLISH_SECONDS = 12.0
PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class Publishers:
    settings: Settings
    history: History
    doors: list[Door]
    patience_seconds: float
    _open: AsyncExitStack
    _publisher: Publisher | None = None
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _turns: "count[int]" = field(default_factory=count)

    async def insist(self, send: Send) -> Json:
        self.history.send(send, "insist")
        answer = await decided(send, *self._doors(), seconds=self.patience_seconds)
        self.history.answer(send, answer)
        return answer

    async def trust(self, send: Send) -> Json:
        """Accepted by one door, its outcome looked up at any."""
        self.history.send(send, "trust")
        async with asyncio.timeout(self.patience_seconds):
            await self._accepted(send)
            self.history.promise(send)
            answer = await self._outcome(send)
        self.history.answer(send, answer)
        return answer

    async def publish(self, send: Send) -> Json:
        """Acknowledged by Kafka, and answered over the results topic."""
        self.history.send(send, "publish")
        async with asyncio.timeout(self.patience_seconds):
            reply = await self._published(send)
            self.history.promise(send)
            answer = without_failure(await reply)
        self.history.answer(send, answer)
        return answer

    def _doors(self) -> list[Door]:
        at = next(self._turns) % len(self.doors)
        return self.doors[at:] + self.doors[:at]

    async def _accepted(self, send: Send) -> None:
        while True:
            with suppress(httpx.TransportError):
                answer = await self._doors()[0].send(send, prefer="respond-async")
                if answer.status_code == httpx.codes.ACCEPTED:
                    return
                assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
            await asyncio.sleep(PAUSE_SECONDS)

    async def _outcome(self, send: Send) -> Json:
        while True:
            with suppress(httpx.TransportError):
                answer = await self._doors()[0].outcome(send)
                if answer.is_success:
                    item: Json = answer.json()
                    return item
                assert answer.status_code in {404, 503}, answer.text
            await asyncio.sleep(PAUSE_SECONDS)

    async def _published(self, send: Send) -> "asyncio.Future[Json]":
        while True:
            publisher = await self._usable()
            try:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    return await publisher.publish(send)
            except (KafkaError, TimeoutError):
                # Its fate is unknown: the next producer sends it again, with its id.
                await self._retire(publisher)

    async def _usable(self) -> Publisher:
        """The present one; else a new one, once Kafka is there. Old ones go on listening for what they are owed."""
        async with self._renewing:
            while self._publisher is None:
                publisher = Publisher(self.settings)
                try:
                    async with asyncio.timeout(PUBLISH_SECONDS):
                        await publisher.__aenter__()
                except (KafkaError, OSError, TimeoutError):
                    await publisher.__aexit__()
                    await asyncio.sleep(PAUSE_SECONDS)
                else:
                    # What it still holds in the end was sent again by another, or nobody waits for it any more.
                    self._open.push_async_callback(publisher.__aexit__)
                    self._publisher = publisher
            return self._publisher

    async def _retire(self, publisher: Publisher) -> None:
        async with self._renewing:
            if self._publisher is publisher:
                self._publisher = None


@asynccontextmanager
async def open_publishers(
    settings: Settings, history: History, urls: list[str], patience_seconds: float = PATIENCE_SECONDS
) -> AsyncIterator[Publishers]:
    async with AsyncExitStack() as closing:
        made = await closing.enter_async_context(doors(settings, *urls))
        yield Publishers(settings, history, made, patience_seconds, closing)
