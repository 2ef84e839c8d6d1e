"""Clients that send commands: `Door` over HTTP to one instance, `Publisher` over Kafka. An outcome of type `Json` has
the form of a batch's item: the answer's body, with `status`.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from math import inf
from typing import Any, Self
from uuid import uuid4

import httpx
import jwt
from aiokafka import AIOKafkaProducer

from daybook_client.kafka.replies import Replies
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.settings import Settings
from support.chain import Json, partition_of

CLIENTS = 16
TOKEN_SECONDS = 600
Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Send:
    """A normalised command (id, type, org_id, actor_user_id, data) and its sender."""

    principal: str
    command: Json = field(hash=False)

    @property
    def key(self) -> str:
        key: str = self.command["org_id"] or self.command["data"]["user_id"]
        return key

    @property
    def body(self) -> bytes:
        return json.dumps({name: value for name, value in self.command.items() if value is not None}).encode()


def token(settings: Settings, principal: str, **claims: Any) -> str:
    assert settings.jwt_secret is not None
    made = claims_of(principal, **{"aud": settings.jwt_audience, **claims})
    return jwt.encode(made, settings.jwt_secret.get_secret_value(), algorithm="HS256")


def claims_of(principal: str, **changes: Any) -> dict[str, Any]:
    """The claims of a JWT that is valid for TOKEN_SECONDS; a claim given as None is left out."""
    kind, _, subject = principal.partition(":")
    role = "service_role" if kind == "service" else "authenticated"
    good = {"sub": subject, "role": role, "aud": "daybook", "exp": int(time.time()) + TOKEN_SECONDS}
    return {name: value for name, value in (good | changes).items() if value is not None}


@dataclass(slots=True)
class Door:
    """Sends requests to one instance's HTTP door, through several HTTP clients in turn."""

    settings: Settings
    clients: Iterator[httpx.AsyncClient]
    url: str
    tokens: dict[str, tuple[float, str]] = field(default_factory=dict)

    @property
    def client(self) -> httpx.AsyncClient:
        return next(self.clients)

    def bearer(self, principal: str) -> dict[str, str]:
        """Headers with the principal's token, which is renewed after half of its lifetime."""
        now = time.monotonic()
        made_at, made = self.tokens.get(principal, (-inf, ""))
        if now > made_at + TOKEN_SECONDS / 2:
            made = token(self.settings, principal)
            self.tokens[principal] = now, made
        return {"Authorization": f"Bearer {made}", "Content-Type": "application/json"}

    async def post(self, path: str, body: bytes, principal: str, **headers: str) -> httpx.Response:
        dashed = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(self.url + path, content=body, headers=self.bearer(principal) | dashed)

    async def send(self, send: Send, **headers: str) -> httpx.Response:
        return await self.post("/v1/commands", send.body, send.principal, **headers)

    async def outcome(self, send: Send, principal: str | None = None) -> httpx.Response:
        """Looks up a command's outcome as its sender, or as `principal`. A service names the user for whom it acted."""
        path = f"/v1/orgs/{send.key}/commands/{send.command['id']}"
        asking, actor = principal or send.principal, send.command["actor_user_id"]
        if actor is not None and asking.startswith("service:"):
            path += f"?actor={actor}"
        return await self.client.get(self.url + path, headers=self.bearer(asking))


@asynccontextmanager
async def doors(settings: Settings, *urls: str) -> AsyncIterator[list[Door]]:
    async with AsyncExitStack() as open_clients:
        # httpx scans all of a client's connections for each request, so many clients with few connections are faster.
        made = [httpx.AsyncClient(timeout=20, verify=False, trust_env=False) for _ in range(CLIENTS)]  # noqa: S501
        clients = cycle([await open_clients.enter_async_context(client) for client in made])
        yield [Door(settings, clients, url) for url in urls]


async def send_until_decided(send: Send, *ways: Door, seconds: float = 40) -> Json:
    """Sends the command, to one door after another, until the answer is neither 202 nor 503; returns the answer."""
    deadline, at = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            answer = await ways[at % len(ways)].send(send)
            if answer.status_code not in {202, 503}:
                return item(answer)
        at += 1
        await asyncio.sleep(0.1)
    raise TimeoutError(f"no final answer to {send.command} within {seconds} s")


async def are_projected(door: Door, sends: Sequence[Send]) -> bool:
    """Whether the outcomes of these commands are projected."""
    return all([(await door.outcome(send)).status_code == 200 for send in sends])


def item(answer: httpx.Response) -> Json:
    return {**answer.json(), "status": answer.status_code}


class Publisher:
    """Publishes to the commands topic and listens on one partition of the results topic."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        topics = Topics(settings.topic_prefix)
        self.commands = topics.commands
        self.replies = Replies(connection_of(settings), topics.results, "publisher", partitions=settings.partitions)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap,
            acks="all",
            enable_idempotence=True,
            max_request_size=5 * 1024 * 1024,
        )

    async def __aenter__(self) -> Self:
        await self._producer.start()
        await self.replies.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.replies.stop()
        await kafka.close_quietly(self._producer)

    async def publish(
        self, send: Send, *more: tuple[str, bytes], key: str | None = None, partition: int | None = None
    ) -> asyncio.Future[Json]:
        """Returns when Kafka has acknowledged the record. The future gives the outcome from the results topic."""
        correlation = str(uuid4())
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self.replies.listen(correlation, partial(self._take_reply, correlation, answer))
        headers = [("daybook-principal", send.principal.encode()), *self.replies.headers(correlation), *more]
        routed = key or send.key
        place = partition if partition is not None else partition_of(routed, self.settings.partitions)
        # Unlike `publish_raw`, makes no separate batch for each record: the producer has few batches in flight, so
        # commands that are sent together should share one.
        await self._producer.send_and_wait(
            self.commands, send.body, key=routed.encode(), partition=place, headers=headers
        )
        return answer

    def _take_reply(self, correlation: str, answer: asyncio.Future[Json], value: bytes) -> None:
        self.replies.forget(correlation)
        if not answer.done():
            answer.set_result(json.loads(value))

    async def publish_raw(
        self, key: str | None, value: bytes | None, headers: Headers, partition: int | None = None
    ) -> tuple[int, int]:
        """Publishes any record, by default to the partition of its key; returns its partition and offset."""
        place = partition if partition is not None else partition_of(key or "", self.settings.partitions)
        batch = self._producer.create_batch()
        encoded = key.encode() if key is not None else None
        batch.append(key=encoded, value=value, timestamp=None, headers=headers)
        sent = await (await self._producer.send_batch(batch, self.commands, partition=place))
        return sent.partition, sent.offset
