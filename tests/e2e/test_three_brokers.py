"""Three Kafka brokers; a record is acknowledged when two of them have it. One broker is killed under load, then a
second one; then both start again. The checker of the chaos runs verifies that no acknowledged record is lost.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from chaos.checker import gather_evidence, judge
from chaos.fleet import INSTANCES, Fleet
from chaos.history import History
from chaos.publishers import open_publishers
from chaos.scene import NO_RATE_LIMIT, READY_SECONDS, ROLES
from chaos.traffic import Traffic
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Part, Servers
from support.brokers import Brokers, three_brokers
from support.chain import Json, partition_of
from support.driving import eventually, fresh_id
from support.processes import Service
from support.publisher import Door, doors, item
from support.reports import health, status, status_refuses, until_unready
from support.stack import Fresh, own_stack
from support.workload import SERVICE, registration

pytestmark = pytest.mark.timeout(400)
REPLICATION: dict[str, Any] = {"replication_factor": 3, "min_insync_replicas": 2}
# At first each broker leads one partition. When two are dead, one of the two projectors has only partitions that the
# remaining broker leads.
PARTITIONS = 3
SECONDS = 90
GROWTH_BYTES = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def brokers() -> Iterator[Brokers]:
    with three_brokers() as made:
        yield made


@pytest.fixture(scope="module")
def fresh(brokers: Brokers) -> Iterator[Fresh]:
    with own_stack(parts=frozenset({Part.POSTGRES})) as stack:
        yield Fresh(Servers(brokers.bootstrap, stack.servers().database_url))


@dataclass(frozen=True, slots=True)
class Scene:
    """Two instances of each service, while publishers keep sending commands in four ways."""

    settings: Settings
    brokers: Brokers
    fleet: Fleet
    history: History

    @property
    def services(self) -> list[Service]:
        return [slot.service for slot in self.fleet.slots if slot.service is not None]


@asynccontextmanager
async def under_load(brokers: Brokers, settings: Settings, folder: Path) -> AsyncIterator[Scene]:
    """Runs services and publishers. At the end, waits until all instances are ready and every publisher has its
    answers.
    """
    with (folder / "history.jsonl").open("w") as file:
        scene = Scene(settings, brokers, Fleet(settings, folder), History(file))
        try:
            for role in ROLES:
                for _ in range(INSTANCES):
                    scene.fleet.start(scene.fleet.add(role))
            await scene.fleet.ready(READY_SECONDS)
            async with open_publishers(settings, scene.history, scene.fleet.urls()) as publishers:
                traffic = Traffic(settings, 1, publishers)
                async with asyncio.TaskGroup() as group:
                    group.create_task(traffic.run())
                    yield scene
                    await scene.fleet.ready(READY_SECONDS)
                    traffic.stop_requested.set()
        finally:
            await scene.fleet.stop_all()


async def test_nothing_is_lost_while_one_or_two_brokers_stop(brokers: Brokers, fresh: Fresh, tmp_path: Path) -> None:
    settings = await asyncio.to_thread(fresh, partitions=PARTITIONS, **REPLICATION, **NO_RATE_LIMIT)
    async with under_load(brokers, settings, tmp_path) as scene:
        await check_continues(scene, *range(PARTITIONS))
        memory = [_memory(service) for service in scene.services]
        first = (await leaders(settings))[0]
        led = [partition for partition, leader in (await leaders(settings)).items() if leader == first]
        brokers.kill(first)
        await check_continues(scene, *led)
        await status(settings)
        # Partition 0 keeps its leader. A service that asks only this leader would not notice the outage.
        (second,) = {1, 2, 3} - {first, (await leaders(settings))[0]}
        brokers.kill(second)
        await until_unready("kafka", "", *scene.services, seconds=SECONDS)
        # The services stay unready although one broker answers.
        for service in scene.services:
            assert "kafka" in (await health(service)).reasons
        async with doors(settings, *scene.fleet.urls()) as open_doors:
            for door in open_doors:
                await check_refuses(scene, door)
        assert (await status_refuses(settings)).startswith("Error: Kafka ")
        assert all(
            _memory(service) < before + GROWTH_BYTES for service, before in zip(scene.services, memory, strict=True)
        )
        await asyncio.to_thread(brokers.start, first, second)
        await check_continues(scene, *range(PARTITIONS))
    found = await gather_evidence(settings)
    assert [*await asyncio.to_thread(judge, scene.history, found), *scene.fleet.crashes] == []


async def leaders(settings: Settings) -> dict[int, int]:
    async with admin(settings) as client:
        (topic,) = await client.describe_topics([f"{settings.topic_prefix}audit_log"])
    return {each["partition"]: each["leader"] for each in topic["partitions"]}


async def check_continues(scene: Scene, *partitions: int) -> None:
    """Waits until new commands are answered in each of these partitions."""
    sent, answered = set(scene.history.sent), len(scene.history.answers)

    async def are_answered() -> bool:
        answers = scene.history.answers[answered:]
        new = [send for send, _ in answers if (send.key, send.command["id"]) not in sent]
        return {partition_of(send.key, PARTITIONS) for send in new} >= set(partitions)

    await eventually(are_answered, SECONDS)


async def check_refuses(scene: Scene, door: Door) -> None:
    """Asserts that every way of sending gets 503. Answers to single commands have Retry-After."""
    sends = [registration(fresh_id(), fresh_id()) for _ in range(3)]
    for send in sends:
        scene.history.expect(send, "once")
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(door.send(sends[0]))
        not_waiting = group.create_task(door.send(sends[1], prefer="respond-async"))
        batch = group.create_task(door.post("/v1/commands:batch", b"[" + sends[2].body + b"]", SERVICE))
    for answer in (waiting.result(), not_waiting.result()):
        assert int(answer.headers["retry-after"]) > 0
        _check_refusal(item(answer))
    (refused,) = batch.result().json()
    _check_refusal(refused)


def _check_refusal(answer: Json) -> None:
    assert (answer["status"], answer["code"]) == (503, "UNAVAILABLE"), answer
    assert "nothing was done" in answer["detail"] or "it may or may not be decided" in answer["detail"]


def _memory(service: Service) -> int:
    bytes_used: int = psutil.Process(service.process.pid).memory_info().rss
    return bytes_used
