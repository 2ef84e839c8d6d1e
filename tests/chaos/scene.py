"""The system of a run: its own Kafka and PostgreSQL, each behind a proxy, and two instances of each service."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from chaos.fleet import INSTANCES, Fleet
from chaos.history import History
from chaos.proxy import LOOPBACK, Proxy
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.embedded import EmbeddedStack
from daybook_infra.stack.interface import Part, Servers
from support.processes import PROGRAM, Role
from support.stack import Fresh, own_stack, sigterm_as_sigint

PARTITIONS = 4
# Publishers send fast, and the rate limit has its own tests.
NO_RATE_LIMIT: dict[str, Any] = {"rate": 1e6, "burst": 1_000_000}
ROLES: tuple[Role, ...] = ("command", "projector")
READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Setup:
    """`program` is started instead of `daybook`, with `changes` to the settings. The first `veterans` instances of each
    role are never killed or stopped.
    """

    program: Sequence[str] = PROGRAM
    changes: Mapping[str, Any] = field(default_factory=dict)
    veterans: int = 0


DEFAULT = Setup()


@dataclass(frozen=True, slots=True)
class Scene:
    settings: Settings
    stack: EmbeddedStack
    proxies: dict[Part, Proxy]
    fleet: Fleet
    history: History


@asynccontextmanager
async def open_scene(folder: Path, random: Random, history: History, setup: Setup = DEFAULT) -> AsyncIterator[Scene]:
    """Starts a system and waits until it is ready. Its instances log to the folder."""
    async with AsyncExitStack() as closing:
        closing.enter_context(sigterm_as_sigint())  # here, because the stack is started in another thread
        proxies = {part: Proxy(Random(random.random())) for part in Part}
        for proxy in proxies.values():
            await proxy.start()
            closing.push_async_callback(proxy.stop)
        opened = own_stack(kafka_advertised=proxies[Part.KAFKA].port)
        stack = await asyncio.to_thread(opened.__enter__)
        closing.push_async_callback(asyncio.to_thread, opened.__exit__, None, None, None)
        fresh = Fresh(_behind_proxies(proxies, stack.servers()))
        settings = await asyncio.to_thread(fresh, partitions=PARTITIONS, **NO_RATE_LIMIT, **setup.changes)
        fleet = Fleet(settings, folder, setup.program)
        closing.push_async_callback(fleet.stop_all)
        for role in ROLES:
            for number in range(INSTANCES):
                fleet.start(fleet.add(role, veteran=number < setup.veterans))
        await fleet.ready(READY_SECONDS)
        yield Scene(settings, stack, proxies, fleet, history)


def _behind_proxies(proxies: dict[Part, Proxy], found: Servers) -> Servers:
    """Puts the proxies in front of the servers; returns the proxies' addresses."""
    url = urlsplit(found.database_url)
    proxies[Part.KAFKA].target = int(found.kafka_bootstrap.rpartition(":")[2])
    proxies[Part.POSTGRES].target = url.port or 0
    netloc = f"{url.username}:{url.password}@{LOOPBACK}:{proxies[Part.POSTGRES].port}"
    return Servers(f"{LOOPBACK}:{proxies[Part.KAFKA].port}", urlunsplit(url._replace(netloc=netloc)))
