"""The read API in this process, on a real database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from daybook_infra.runtime.health import Health
from daybook_infra.runtime.settings import Settings
from daybook_projector.main import open_app
from support.chain import Json
from support.publisher import token


@dataclass(frozen=True, slots=True)
class ReadApi:
    client: httpx.AsyncClient
    settings: Settings
    app: FastAPI

    async def get(
        self, path: str, principal: str, headers: Mapping[str, str] | None = None, **params: Any
    ) -> httpx.Response:
        own = {"Authorization": f"Bearer {token(self.settings, principal)}", **(headers or {})}
        return await self.client.get(path, params=params, headers=own)

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
    """Its rate limit lets a test ask as often as it likes."""
    own = settings.model_copy(update={"rate": 1e6, "burst": 1_000_000})
    async with open_app(own, Health(), CollectorRegistry()) as app:
        assert isinstance(app, FastAPI)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://reading", timeout=30) as client:
            yield ReadApi(client, own, app)
