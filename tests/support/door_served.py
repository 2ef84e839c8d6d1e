"""Serves the door of `door_doubles` over HTTP, on a port of this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from prometheus_client import CollectorRegistry, Counter

from daybook_command.http.app import with_web_apps
from daybook_infra.runtime.http.serving import serve
from daybook_infra.runtime.http.sites import sites
from support.door_doubles import DoorAlone
from support.processes import free_port


@asynccontextmanager
async def served(door: DoorAlone, *, in_progress: int = 0) -> AsyncIterator[httpx.AsyncClient]:
    """The HTTP API, served as the command service serves it while it has this many other requests in progress."""
    port, stop, registry = free_port(), asyncio.Event(), CollectorRegistry()
    Counter("daybook_things", "Things.", registry=registry)
    app = with_web_apps(door.app, door.settings)
    all_sites = sites(app, ("127.0.0.1", port), door.settings, door.health, registry)
    all_sites[0].connections.requests_in_progress = in_progress
    serving = asyncio.create_task(serve(all_sites, stop))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        try:
            await until_up(client, serving)
            yield client
        finally:
            stop.set()
            await serving


async def until_up(client: httpx.AsyncClient, serving: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(10):
        while not serving.done():
            try:
                await client.get("/livez")
            except httpx.TransportError:
                await asyncio.sleep(0.02)
            else:
                return
        serving.result()
