"""Publishers that act like careful clients: they choose command ids, and continue until each command is answered.
`insist` sends a command until it gets a final answer. `trust`, `believe` and `publish` do not send a promised command
again, so that the checker notices if it is lost. `believe` also gives up if it hears that nothing was done, so that the
checker notices if the command is decided nevertheless.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

import httpx
from aiokafka.errors import KafkaError

from chaos.history import History, name_of
from daybook_infra.runtime.errors import KafkaAway
from daybook_infra.runtime.settings import Settings
from support.chain import Json
from support.driving import without_failure
from support.publisher import Door, Publisher, Send, doors, item, send_until_decided

# Longer than any fault and the recovery from it.
PATIENCE_SECONDS = 150.0
PUBLISH_SECONDS = 12.0
PAUSE_SECONDS = 0.2
NOTHING_DONE = "nothing was done"
"""The detail of a 503 contains this if the command will certainly not be decided."""


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
        answer = await send_until_decided(send, *self._doors(), seconds=self.patience_seconds)
        self.history.answer(send, answer)
        return answer

    async def trust(self, send: Send) -> Json:
        """Sends until one instance has accepted the command, then looks up the outcome at any instance."""
        self.history.send(send, "trust")
        async with asyncio.timeout(self.patience_seconds):
            await self._send_until_accepted(send)
            self.history.promise(send)
            answer = await self._outcome(send)
        self.history.answer(send, answer)
        return answer

    async def believe(self, send: Send) -> Json:
        """Sends, and waits for the answer. After a 202 it never sends again, but looks up the outcome. If it hears that
        nothing was done, it gives up and returns an empty answer.
        """
        self.history.send(send, "believe")
        async with asyncio.timeout(self.patience_seconds):
            answer = await self._send_until_answered(send)
            if answer is None:
                self.history.promise(send)
                answer = await self._outcome(send)
        if answer:
            self.history.answer(send, answer)
        else:
            self.history.give_up(send)
        return answer

    async def publish(self, send: Send) -> Json:
        """Publishes until Kafka has acknowledged the command, then waits for its result on the results topic."""
        self.history.send(send, "publish")
        async with asyncio.timeout(self.patience_seconds):
            reply = await self._publish_until_acknowledged(send)
            self.history.promise(send)
            answer = without_failure(await reply)
        self.history.answer(send, answer)
        return answer

    async def send_series(self, sends: Sequence[Send]) -> None:
        """Sends commands with one key and one principal in one request. Those that are accepted must be decided in this
        order. The others are sent again, one by one.
        """
        for send in sends:
            self.history.send(send, "series")
        async with asyncio.timeout(self.patience_seconds):
            accepted = await self._post_series(sends)
            self.history.series.append([name_of(send) for send in accepted])
            for send in accepted:
                self.history.promise(send)
                self.history.answer(send, await self._outcome(send))
        for send in [each for each in sends if each not in accepted]:
            answer = await send_until_decided(send, *self._doors(), seconds=self.patience_seconds)
            self.history.answer(send, answer)

    async def _post_series(self, sends: Sequence[Send]) -> list[Send]:
        """The commands that were accepted."""
        body = b"[" + b",".join(send.body for send in sends) + b"]"
        accepted = []
        with suppress(httpx.TransportError):
            answer = await self._doors()[0].post("/v1/commands:batch", body, sends[0].principal)
            for send, each in zip(sends, answer.json() if answer.is_success else (), strict=False):
                if each["status"] == httpx.codes.SERVICE_UNAVAILABLE:
                    self.history.refuse(send, each["detail"])
                else:
                    accepted.append(send)
        return accepted

    def _doors(self) -> list[Door]:
        first = next(self._turns) % len(self.doors)
        return self.doors[first:] + self.doors[:first]

    async def _send_until_accepted(self, send: Send) -> None:
        while True:
            with suppress(httpx.TransportError):
                answer = await self._doors()[0].send(send, prefer="respond-async")
                if answer.status_code == httpx.codes.ACCEPTED:
                    return
                assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
            await asyncio.sleep(PAUSE_SECONDS)

    async def _send_until_answered(self, send: Send) -> Json | None:
        """The final answer; None if an instance has promised to decide the command, and empty if nothing was done about
        it, this time and all times before.
        """
        untouched = True
        while True:
            try:
                answer = await self._doors()[0].send(send)
            except httpx.TransportError:
                untouched = False
            else:
                if answer.status_code == httpx.codes.ACCEPTED:
                    return None
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return item(answer)
                self.history.refuse(send, answer.text)
                untouched = untouched and NOTHING_DONE in answer.text
                if untouched:
                    return {}
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

    async def _publish_until_acknowledged(self, send: Send) -> "asyncio.Future[Json]":
        while True:
            publisher = await self._open_publisher()
            try:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    return await publisher.publish(send)
            except (KafkaError, TimeoutError):
                # The command may have been published or not. The next producer sends it again, with the same id.
                await self._retire(publisher)

    async def _open_publisher(self) -> Publisher:
        """The current publisher, or a new one as soon as Kafka is reachable. Old ones keep waiting for their
        results.
        """
        async with self._renewing:
            while self._publisher is None:
                publisher = Publisher(self.settings)
                try:
                    async with asyncio.timeout(PUBLISH_SECONDS):
                        await publisher.__aenter__()
                except (KafkaAway, KafkaError, OSError, TimeoutError):
                    await publisher.__aexit__()
                    await asyncio.sleep(PAUSE_SECONDS)
                else:
                    # Closed only at the end of the run, when nothing waits for its unacknowledged records.
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
        clients = await closing.enter_async_context(doors(settings, *urls))
        yield Publishers(settings, history, clients, patience_seconds, closing)
