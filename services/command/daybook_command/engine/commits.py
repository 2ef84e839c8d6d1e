"""Commits offsets of the commands topic: takes the offsets that shards ask for, and commits those of all partitions
together.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from daybook_command.engine.assignment import Assignment, CommandConsumer

# A commit costs as much as ten commands. After a crash, the commands answered since the last commit are read again as
# repeats.
PAUSE_SECONDS: Final = 0.05
# The pause after a commit that failed.
RETRY_SECONDS: Final = 1.0


class Commits:
    """`assignments`: those of this instance. Offsets of other partitions are never committed."""

    def __init__(self, assignments: Mapping[int, Assignment], consumer: CommandConsumer) -> None:
        self._assignments = assignments
        self._consumer = consumer
        self._offsets: dict[int, int] = {}
        self._requested = asyncio.Event()
        # One commit at a time: one that fails after a later one has succeeded would request its older offsets again.
        self._in_order = asyncio.Lock()

    def request(self, partition: int, offset: int) -> None:
        self._offsets[partition] = offset
        self._requested.set()

    def leave(self, partition: int) -> None:
        """Forgets the partition, which is given away: its next owner may commit later offsets."""
        self._offsets.pop(partition, None)

    async def run(self) -> None:
        while True:
            await self._requested.wait()
            self._requested.clear()
            await asyncio.sleep(PAUSE_SECONDS if await self.commit() else RETRY_SECONDS)

    async def commit(self) -> bool:
        """Commits what was requested. Returns False if that fails; it then stays requested, unless a later offset was
        requested meanwhile or the partition was given away.
        """
        async with self._in_order:
            return await self._commit()

    async def _commit(self) -> bool:
        offsets, self._offsets = self._offsets, {}
        owners = {partition: self._assignments[partition] for partition in offsets if partition in self._assignments}
        if not owners or await self._consumer.commit({partition: offsets[partition] for partition in owners}):
            return True
        for partition, owner in owners.items():
            if self._assignments.get(partition) is owner:
                self._offsets.setdefault(partition, offsets[partition])
                self._requested.set()
        return False
