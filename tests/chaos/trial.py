"""One run: a scene of its own, traffic and faults side by side, then quiet, then the verdict. What went wrong is kept:
logs, history, topics and tables, in the run's folder.
"""

import asyncio
import json
import shutil
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

import asyncpg
from aiokafka.errors import KafkaError

from chaos.checker import as_json, gather_evidence, judge
from chaos.fault import Fault
from chaos.history import History
from chaos.nemesis import BRISK, Nemesis, Pace
from chaos.proxy import FAIR
from chaos.publishers import PATIENCE_SECONDS, open_publishers
from chaos.scene import READY_SECONDS, USUAL, Cast, Scene, open_scene
from chaos.traffic import PAUSE_SECONDS, Traffic
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import StackError
from support.driving import connected
from support.replay import read_topic
from support.servers import start
from support.tables import read_tables

# Longer than any wait of the services between two tries.
QUIET_SECONDS = 10.0
SETTLED_WITHIN_SECONDS = 120.0
TOPICS = ("commands", "audit_log", "results", "commands.dlq")
Draw = Callable[[Random], Iterable[Fault]]
"""The faults of a run, when everything is ready."""


class Watch(Protocol):
    """Looks on while a run rages, and says afterwards what was wrong in its eyes."""

    async def look_on(self, scene: Scene) -> None: ...

    def wrong(self) -> list[str]: ...


class Nobody:
    async def look_on(self, _: Scene) -> None:
        """Sees nothing."""

    def wrong(self) -> list[str]:
        return []


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is, but for its seed: who plays, what befalls them, and how fast. `pause_seconds` is how long each
    publisher waits after an answer, `patience_seconds` how long for one. `warm`: nothing befalls them before the first
    users are there.
    """

    draw: Draw
    cast: Cast = USUAL
    pace: Pace = BRISK
    pause_seconds: float = PAUSE_SECONDS
    patience_seconds: float = PATIENCE_SECONDS
    warm: bool = False
    watch: Watch = field(default_factory=Nobody)


@dataclass(slots=True)
class Verdict:
    """`wrong` is empty if the run stood."""

    seed: int
    folder: Path
    faults: Counter[str] = field(default_factory=Counter)
    commands: int = 0
    voids: int = 0
    wrong: list[str] = field(default_factory=list)


async def run_once(seed: int, plan: Plan, folder: Path, say: Callable[[str], None]) -> Verdict:
    """The folder is there, and gone afterwards if nothing was wrong."""
    verdict, random = Verdict(seed, folder), Random(seed)
    with (folder / "history.jsonl").open("w", encoding="utf-8") as file:
        history = History(file)
        async with open_scene(folder, random, history, plan.cast) as scene:
            nemesis = Nemesis(scene, random, say, verdict.faults, plan.pace)
            await _play(scene, nemesis, plan, verdict)
            if verdict.wrong:
                await _keep(scene, folder)
    if not verdict.wrong:
        shutil.rmtree(folder)
    return verdict


async def _play(scene: Scene, nemesis: Nemesis, plan: Plan, verdict: Verdict) -> None:
    try:
        await _rage(scene, nemesis, plan, verdict.seed)
    except (ExceptionGroup, AssertionError, RuntimeError, TimeoutError) as trouble:
        verdict.wrong.append("the run broke off: " + "".join(traceback.format_exception(trouble)))
        with suppress(KafkaError, OSError, RuntimeError, TimeoutError):
            await _settle(scene)
    with suppress(KafkaError, OSError, TimeoutError, asyncpg.PostgresError):
        found = await gather_evidence(scene.settings)
        verdict.commands = len(scene.history.promised)
        verdict.voids = sum(len(chain.voids) for chain in found.log)
        verdict.wrong += await asyncio.to_thread(judge, scene.history, found)
        verdict.wrong += [*scene.fleet.crashes, *plan.watch.wrong()]
        return
    verdict.wrong.append("the log or the tables cannot be read")


async def _settle(scene: Scene) -> None:
    """Heals what a fault that was cut short has left, and waits until nobody writes to the log any more: what was only
    under way is not to be taken for lost.
    """
    for part, proxy in scene.proxies.items():
        proxy.turn(FAIR)
        with suppress(StackError):
            await start(scene.stack, part)
    scene.fleet.wake()
    with suppress(RuntimeError, TimeoutError):
        await scene.fleet.ready(READY_SECONDS)
    before = -1
    async with asyncio.timeout(SETTLED_WITHIN_SECONDS):
        while (entries := len(await read_topic(scene.settings, "audit_log"))) != before:
            before = entries
            await asyncio.sleep(QUIET_SECONDS)


async def _rage(scene: Scene, nemesis: Nemesis, plan: Plan, seed: int) -> None:
    """Faults while there is traffic; then every instance gets ready, and every publisher its answer."""
    urls = scene.fleet.urls()
    async with open_publishers(scene.settings, scene.history, urls, plan.patience_seconds) as publishers:
        traffic = Traffic(scene.settings, seed, publishers, plan.pause_seconds)
        async with asyncio.TaskGroup() as group:
            group.create_task(traffic.run())
            watching = group.create_task(plan.watch.look_on(scene))
            if plan.warm:
                await traffic.begun.wait()
            await nemesis.rage(plan.draw(nemesis.random))
            watching.cancel()
            traffic.enough.set()
            await scene.fleet.ready(READY_SECONDS)


async def _keep(scene: Scene, folder: Path) -> None:
    """The instances' logs and the history are there already."""
    for name in ("kafka", "postgres"):
        shutil.copy(scene.stack.home.log(name), folder)
    with suppress(KafkaError, OSError, TimeoutError, asyncpg.PostgresError):
        await _keep_topics(scene.settings, folder)
        async with connected(scene.settings) as connection:
            (folder / "tables.json").write_text(as_json(await read_tables(connection)), encoding="utf-8")


async def _keep_topics(settings: Settings, folder: Path) -> None:
    for topic in TOPICS:
        records = sorted(await read_topic(settings, topic), key=lambda record: record[:2])
        with (folder / f"{topic}.jsonl").open("w", encoding="utf-8") as file:
            for partition, offset, value, headers in records:
                text = None if value is None else value.decode(errors="backslashreplace")
                named = {name: header.decode(errors="backslashreplace") for name, header in headers.items()}
                line = {"partition": partition, "offset": offset, "value": text, "headers": named}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
