"""The read API in this process, on a real database."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from daybook_infra.runtime.health import Health
from daybook_infra.runtime.http.serving import serve
from daybook_infra.runtime.http.sites import sites
from daybook_infra.runtime.settings import Settings
from daybook_projector.main import open_app
from support.chain import Json
from support.processes import free_port
from support.projecting import until
from support.publisher import token


@dataclass(frozen=True, slots=True)
class ReadApi:
    client: httpx.AsyncClient
    settings: Settings
    app: FastAPI
    registry: CollectorRegistry
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    def token(self, principal: str) -> str:
        return token(self.settings, principal)

    async def get(
        self, path: str, principal: str, headers: Mapping[str, str] | None = None, **params: Any
    ) -> httpx.Response:
        own = {"Authorization": f"Bearer {token(self.settings, principal)}", **(headers or {})}
        return await self.client.get(path, params=params, headers=own)

    async def head(self, path: str, principal: str, **params: Any) -> httpx.Response:
        own = {"Authorization": f"Bearer {token(self.settings, principal)}"}
        return await self.client.head(path, params=params, headers=own)

    async def items(self, path: str, principal: str, **params: Any) -> list[Json]:
        """The first page's items."""
        answer = await self.get(path, principal, **params)
        assert answer.status_code == 200, answer.text
        items: list[Json] = answer.json()["items"]
        return items

    async def walk(self, path: str, principal: str, **params: Any) -> list[Json]:
        """The items of all pages, or of all from `cursor` on."""
        found: list[Json] = []
        while True:
            answer = await self.get(path, principal, **params)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["items"]
            if page["next"] is None:
                return found
            params["cursor"] = page["next"]


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[ReadApi]:
    """Opens the read API, with a rate limit so high that tests never reach it."""
    own = settings.model_copy(update={"rate": 1e6, "burst": 1_000_000})
    registry = CollectorRegistry()
    async with open_app(own, Health(), registry, asyncio.Event()) as app:
        assert isinstance(app, FastAPI)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://reading", timeout=30) as client:
            yield ReadApi(client, own, app, registry)


@dataclass(slots=True)
class Follower:
    """A client of a stream. `events` are the ids and the data that have arrived; an id without data has None."""

    answer: httpx.Response
    events: list[tuple[str, Json | None]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    ended: bool = False

    async def read(self) -> None:
        fields: dict[str, str] = {}
        async for line in self.answer.aiter_lines():
            name, _, value = line.partition(": ")
            if line.startswith(":"):
                self.comments.append(line[1:].strip())
            elif line:
                fields[name] = value
            elif "id" in fields:
                self.events.append((fields["id"], json.loads(fields["data"]) if "data" in fields else None))
                fields.clear()
        self.ended = True

    @property
    def positions(self) -> list[int]:
        """The positions of the entries that have arrived."""
        return [int(id_.partition(".")[2]) for id_, entry in self.events if entry is not None]

    async def until(self, *positions: int) -> None:
        await until(lambda: self.positions == list(positions), lambda: f"{positions}, found {self.positions}")

    async def until_ended(self) -> None:
        await until(lambda: self.ended, "the stream ends")


@asynccontextmanager
async def following(
    api: ReadApi, path: str, principal: str, headers: Mapping[str, str] | None = None, **params: Any
) -> AsyncIterator[Follower]:
    """Opens the stream of an org's audit log; `path` is the path of the org."""
    claims = params.pop("claims", {})
    own = {"Authorization": f"Bearer {token(api.settings, principal, **claims)}", **(headers or {})}
    async with api.client.stream("GET", f"{path}/audit-log/stream", params=params, headers=own) as answer:
        assert answer.status_code == 200, await answer.aread()
        follower = Follower(answer)
        reading_on = asyncio.create_task(follower.read())
        await until(lambda: bool(follower.events or follower.comments), "the stream opens")
        try:
            yield follower
        finally:
            reading_on.cancel()
            await asyncio.wait({reading_on})


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[ReadApi]:
    """Serves the read API on a free port, because a stream needs a real connection."""
    own = settings.model_copy(update={"rate": 1e6, "burst": 1_000_000})
    stop, registry, port = asyncio.Event(), CollectorRegistry(), free_port()
    async with open_app(own, Health(), registry, stop) as app:
        assert isinstance(app, FastAPI)
        served = asyncio.create_task(serve(sites(app, ("127.0.0.1", port), own, Health(), registry), stop))
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, limits=limits) as client:
            yield ReadApi(client, own, app, registry, stop)
            stop.set()
            await served
