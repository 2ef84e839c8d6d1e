"""One run: starts a system, injects faults while publishers send, and judges the result. If there is a problem, the
run's folder keeps logs, history, topics and tables.
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
from chaos.proxy import NORMAL
from chaos.publishers import PATIENCE_SECONDS, open_publishers
from chaos.scene import DEFAULT, READY_SECONDS, Scene, Setup, open_scene
from chaos.traffic import PAUSE_SECONDS, Traffic
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import StackError
from support.driving import open_database
from support.replay import read_topic
from support.servers import start
from support.tables import read_tables

# Longer than the services ever wait between two attempts.
QUIET_SECONDS = 10.0
SETTLED_WITHIN_SECONDS = 120.0
TOPICS = ("commands", "audit_log", "results", "commands.dlq")
Draw = Callable[[Random], Iterable[Fault]]
"""Returns the faults of a run. Called when everything is ready."""


class Watch(Protocol):
    """Observes a run, and afterwards reports the problems that it has seen."""

    async def observe(self, scene: Scene) -> None: ...

    def problems(self) -> list[str]: ...


class NoWatch:
    async def observe(self, _: Scene) -> None:
        """Observes nothing."""

    def problems(self) -> list[str]:
        return []


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a run but its seed. Each publisher waits up to `patience_seconds` for an answer, and then pauses
    for `pause_seconds`. With `warm`, faults begin only when the first users are projected.
    """

    draw: Draw
    setup: Setup = DEFAULT
    pace: Pace = BRISK
    pause_seconds: float = PAUSE_SECONDS
    patience_seconds: float = PATIENCE_SECONDS
    warm: bool = False
    watch: Watch = field(default_factory=NoWatch)


@dataclass(slots=True)
class Verdict:
    """`problems` is empty if the run passed."""

    seed: int
    folder: Path
    faults: Counter[str] = field(default_factory=Counter)
    commands: int = 0
    voids: int = 0
    problems: list[str] = field(default_factory=list)


async def run_once(seed: int, plan: Plan, folder: Path, say: Callable[[str], None]) -> Verdict:
    """Does one run. The folder must exist. It is deleted if there was no problem."""
    verdict, random = Verdict(seed, folder), Random(seed)
    with (folder / "history.jsonl").open("w", encoding="utf-8") as file:
        history = History(file)
        async with open_scene(folder, random, history, plan.setup) as scene:
            nemesis = Nemesis(scene, random, say, verdict.faults, plan.pace)
            await _run_and_judge(scene, nemesis, plan, verdict)
            if verdict.problems:
                await _save_evidence(scene, folder)
    if not verdict.problems:
        shutil.rmtree(folder)
    return verdict


async def _run_and_judge(scene: Scene, nemesis: Nemesis, plan: Plan, verdict: Verdict) -> None:
    try:
        await _run_with_faults(scene, nemesis, plan, verdict.seed)
    except (ExceptionGroup, AssertionError, RuntimeError, TimeoutError) as trouble:
        verdict.problems.append("the run broke off: " + "".join(traceback.format_exception(trouble)))
        with suppress(KafkaError, OSError, RuntimeError, TimeoutError):
            await _settle(scene)
    with suppress(KafkaError, OSError, TimeoutError, asyncpg.PostgresError):
        found = await gather_evidence(scene.settings)
        verdict.commands = len(scene.history.promised)
        verdict.voids = sum(len(chain.voids) for chain in found.log)
        verdict.problems += await asyncio.to_thread(judge, scene.history, found)
        verdict.problems += [*scene.fleet.crashes, *plan.watch.problems()]
        return
    verdict.problems.append("the log or the tables cannot be read")


async def _settle(scene: Scene) -> None:
    """Heals interrupted faults, and waits until the log stops growing, so that commands in flight do not count
    as lost.
    """
    for part, proxy in scene.proxies.items():
        proxy.behave(NORMAL)
        with suppress(StackError):
            await start(scene.stack, part)
    scene.fleet.resume()
    with suppress(RuntimeError, TimeoutError):
        await scene.fleet.ready(READY_SECONDS)
    before = -1
    async with asyncio.timeout(SETTLED_WITHIN_SECONDS):
        while (entries := len(await read_topic(scene.settings, "audit_log"))) != before:
            before = entries
            await asyncio.sleep(QUIET_SECONDS)


async def _run_with_faults(scene: Scene, nemesis: Nemesis, plan: Plan, seed: int) -> None:
    """Injects faults while publishers send. Then waits until every instance is ready and every publisher is
    answered.
    """
    urls = scene.fleet.urls()
    async with open_publishers(scene.settings, scene.history, urls, plan.patience_seconds) as publishers:
        traffic = Traffic(scene.settings, seed, publishers, plan.pause_seconds)
        async with asyncio.TaskGroup() as group:
            group.create_task(traffic.run())
            watching = group.create_task(plan.watch.observe(scene))
            if plan.warm:
                await traffic.started.wait()
            await nemesis.inject_all(plan.draw(nemesis.random))
            watching.cancel()
            traffic.stop_requested.set()
            await scene.fleet.ready(READY_SECONDS)


async def _save_evidence(scene: Scene, folder: Path) -> None:
    """Saves topics, tables and the servers' logs. The instances' logs and the history are in the folder already."""
    for name in ("kafka", "postgres"):
        shutil.copy(scene.stack.home.log(name), folder)
    with suppress(KafkaError, OSError, TimeoutError, asyncpg.PostgresError):
        await _save_topics(scene.settings, folder)
        async with open_database(scene.settings) as connection:
            (folder / "tables.json").write_text(as_json(await read_tables(connection)), encoding="utf-8")


async def _save_topics(settings: Settings, folder: Path) -> None:
    for topic in TOPICS:
        records = sorted(await read_topic(settings, topic), key=lambda record: record[:2])
        with (folder / f"{topic}.jsonl").open("w", encoding="utf-8") as file:
            for partition, offset, value, headers in records:
                text = None if value is None else value.decode(errors="backslashreplace")
                named = {name: header.decode(errors="backslashreplace") for name, header in headers.items()}
                line = {"partition": partition, "offset": offset, "value": text, "headers": named}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
