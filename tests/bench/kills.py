"""Kills and replaces two instances of the command service in turn, and times the takeovers by the other one."""

import asyncio
import re
from dataclasses import dataclass, field

from bench.figures import Timings
from bench.long_log import Place
from support.driving import fresh_id, over_kafka
from support.processes import Service, System
from support.publisher import Publisher

DECIDED_SECONDS = 60.0
COMMANDS = re.compile(r'^daybook_command_commands_total\{partition="(\d+)"\} (\S+)$', re.MULTILINE)
TAKEOVERS = re.compile(r"^daybook_command_takeover_seconds_(?:count|sum) (\S+)$", re.MULTILINE)


@dataclass(slots=True)
class Pair:
    """`first_decision`: the time from the kill to the first decision in each partition of the killed instance.
    `takeover`: the time from the assignment of a partition to the end of its takeover, as the survivor's metrics give
    it; the mean for each kill. `ready`: the time from the start of a process until /readyz answers 200.
    """

    system: System
    publisher: Publisher
    places: list[Place]
    first_decision: Timings = field(default_factory=Timings)
    takeover: Timings = field(default_factory=Timings)
    ready: Timings = field(default_factory=Timings)

    async def kill_one(self, after_seconds: float) -> None:
        victim, survivor = self.system.commands
        orphans = await self._partitions_of(victim)
        count, total = await _takeovers(survivor)
        await asyncio.sleep(after_seconds)
        victim.kill()
        await asyncio.gather(*(self.first_decision.of(self._decide_one(place)) for place in orphans))
        count_after, total_after = await _takeovers(survivor)
        self.takeover.seconds.append((total_after - total) / (count_after - count))
        self.system.commands.remove(victim)
        await self.ready.of(self._start_replacement())

    async def _partitions_of(self, service: Service) -> list[Place]:
        """The partitions whose commands this instance decides. To find them, sends a command to each partition."""
        before, way = await _commands_by_partition(service), over_kafka(self.publisher, DECIDED_SECONDS)
        await asyncio.gather(*(way(place.send("RENAME_ORG", name=fresh_id())) for place in self.places))
        after = await _commands_by_partition(service)
        return [place for place in self.places if after.get(place.partition, 0) > before.get(place.partition, 0)]

    async def _decide_one(self, place: Place) -> None:
        send = place.send("RECORD_DLQ_EVENT", connection_id=place.tenant.connections[0], payload={"event": "x"})
        answer = await over_kafka(self.publisher, DECIDED_SECONDS)(send)
        assert answer["status"] == 200, answer

    async def _start_replacement(self) -> None:
        await asyncio.to_thread(self.system.start("command").wait_ready)


async def _commands_by_partition(service: Service) -> dict[int, float]:
    """The number of decided commands by partition."""
    text = await asyncio.to_thread(service.metrics)
    return {int(partition): float(number) for partition, number in COMMANDS.findall(text)}


async def _takeovers(service: Service) -> tuple[float, float]:
    """The number of takeovers and their total seconds."""
    count, total = TAKEOVERS.findall(await asyncio.to_thread(service.metrics))
    return float(count), float(total)
