"""Measures a bare system under load, as the figures measure Daybook: with the same yardsticks, generators and goals.
The bare system is a process of bare_commands.py and one of bare_projector.py, with topics and a database of their own.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from bench.measuring import http_load, kafka_load
from bench.measuring.bare_projector import MAKE_TABLE
from bench.measuring.comparison import ROUNDS, Done, Figure, Side, compare
from bench.measuring.echo import Served, running_echo, serving
from bench.measuring.http_load import Plan
from bench.measuring.kafka_load import Mode, command_record
from bench.measuring.library_side import running_library
from bench.measuring.orgs import Orgs, batches
from bench.measuring.running import Bench, until_projected
from daybook_infra.runtime.settings import Settings
from support.driving import open_database
from support.processes import environment, free_port

T = TypeVar("T")
HTTP = Figure("floor_http", "100 clients, a bare system, against the echo", 0.8, at_least=True, unit="requests/s")
BATCHES = Figure(
    "floor_batches", "batches of 200, a bare system, commands per echo request", 2.5, at_least=True, unit="commands/s"
)
FLOOD = Figure("floor_flood", "a flood, a bare system, against eventsourcing", 15, at_least=True, unit="commands/s")
CLIENTS, BATCH_CLIENTS, BATCH = 100, 4, 200


@dataclass(frozen=True, slots=True)
class BareSystem:
    settings: Settings
    url: str
    processes: dict[str, int]

    async def projected(self, commands: int, done: Done) -> Done:
        """The time ends when all rows are in the table."""
        assert done.values.get("200", done.items) == done.items, done.values
        await until_projected(self.settings)
        return Done(commands, time.perf_counter() - done.values["began"], done.values)


def rounds(make: Callable[[], T]) -> Iterator[T]:
    """What the warm-up sends, then what each round sends. All of it is made before the first round."""
    return iter([make() for _ in range(ROUNDS + 1)])


@asynccontextmanager
async def running_bare_system(bench: Bench) -> AsyncIterator[BareSystem]:
    settings = bench.systems.fresh_settings()
    async with open_database(settings) as database:
        await database.execute(MAKE_TABLE)
    ports, variables = (free_port(), free_port()), environment(settings)
    commands, projector = (
        serving(port, f"bench.measuring.bare_{name}", str(port), **variables)
        for name, port in zip(("commands", "projector"), ports, strict=True)
    )
    async with commands as door, projector as other:
        yield BareSystem(settings, door.url, bench.servers | {"command": door.pid, "projector": other.pid})


async def measure_floors_under_load(bench: Bench, orgs: Orgs, commands: int) -> None:
    """Stops Daybook first. `commands`: how many a round sends in batches or over Kafka; half as many one by one."""
    await asyncio.to_thread(bench.system.stop)
    async with running_bare_system(bench) as bare:
        async with running_echo() as echo:
            await measure_http(bench, bare, orgs, echo, commands // 2)
            await measure_batches(bench, bare, orgs, echo, commands)
        await measure_flood(bench, bare, orgs, commands)


async def measure_http(bench: Bench, bare: BareSystem, orgs: Orgs, echo: Served, commands: int) -> None:
    waiting = rounds(lambda: list(map(bench.request, orgs.mixed(commands))))
    warm = next(waiting)
    await http_load.run(Plan(bare.url, warm, CLIENTS))

    async def handled() -> Done:
        return await bare.projected(commands, await http_load.run(Plan(bare.url, next(waiting), CLIENTS)))

    await against_echo(HTTP, bare, handled, echo, warm)


async def measure_batches(bench: Bench, bare: BareSystem, orgs: Orgs, echo: Served, commands: int) -> None:
    waiting = rounds(lambda: [bench.batch(each) for each in batches(orgs.mixed(commands), BATCH)])
    echoed = list(map(bench.request, orgs.mixed(commands // 2)))
    await http_load.run(Plan(bare.url, next(waiting), BATCH_CLIENTS))

    async def handled() -> Done:
        return await bare.projected(commands, await http_load.run(Plan(bare.url, next(waiting), BATCH_CLIENTS)))

    await against_echo(BATCHES, bare, handled, echo, echoed)


async def against_echo(
    figure: Figure, bare: BareSystem, handled: Callable[[], Awaitable[Done]], echo: Served, requests: Sequence[bytes]
) -> None:
    asked = Plan(echo.url, requests, CLIENTS)
    theirs = Side("echo", lambda: http_load.run(asked), {"echo": echo.pid}, saturates="echo")
    await theirs.work()
    await compare(figure, Side("bare system", handled, bare.processes), theirs)


async def measure_flood(bench: Bench, bare: BareSystem, orgs: Orgs, commands: int) -> None:
    waiting = rounds(lambda: [command_record(send, 1) for send in orgs.mixed(commands)])

    async def handled() -> Done:
        done = await kafka_load.run(bare.settings, Mode.FLOOD, "commands", next(waiting))
        return await bare.projected(commands, done)

    async with running_library(bench, orgs, [commands] * (ROUNDS + 1)) as theirs:
        await handled()
        await compare(FLOOD, Side("bare system", handled, bare.processes), theirs)
