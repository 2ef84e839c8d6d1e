"""The shards of this instance, as the door sees them: it gives them commands in memory. See shard/short_way.py."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from daybook_command import metrics
from daybook_command.engine.assignment import Assignment
from daybook_command.shard.effects import HandBack
from daybook_command.shard.intake import SentCommand
from daybook_command.shard.local_queue import Waiting

# Limits of the commands that the door has given to all shards of this process, and that no batch has taken yet. Further
# commands are refused: publishing them instead would double the work under overload.
#
# A key may take at most as much room as remains free: half of all room if it is the only key, a third each for two
# keys that take as much as they can, and so on. So there is always room for another key.
MAX_LOCAL = 2_000
MAX_LOCAL_BYTES = 16 * 1024 * 1024


_local_of = cache(metrics.LOCAL.labels)


class Door(Protocol):
    """The HTTP door, which must publish what a shard hands back."""

    def handed_back(self, queued: Sequence[bytes], taken: Sequence[bytes]) -> None: ...

    def leave(self, partition: int) -> None: ...


@dataclass(slots=True)
class LocalShards:
    """`wake` lets a shard look at its queue. `closed`: this instance is stopping, so the door publishes all commands.
    `queued`: what waits in all shards. `shrunk` is set, and replaced, when commands have left the queues.
    """

    assignments: Mapping[int, Assignment]
    wake: Callable[[Assignment], None]
    queued: Waiting
    door: Door | None = None
    closed: bool = False
    shrunk: asyncio.Event = field(default_factory=asyncio.Event)

    def takes_local(self, partition: int) -> bool:
        assignment = self._owned(partition)
        return assignment is not None and assignment.shard.takes_local

    def decided_to(self, partition: int) -> int | None:
        assignment = self._owned(partition)
        return None if assignment is None else assignment.shard.decided_to

    def has_room(self, partition: int, key: str, commands: int, size: int) -> bool:
        queue = self.assignments[partition].shard.inbox.local
        free, free_bytes = MAX_LOCAL - self.queued.count, MAX_LOCAL_BYTES - self.queued.size
        of_key, bytes_of_key = queue.counts.get(key, 0), queue.sizes.get(key, 0)
        return of_key + commands <= free - commands and bytes_of_key + size <= free_bytes - size

    async def wait_for_room(self) -> None:
        """Waits until commands have left the queues."""
        await self.shrunk.wait()

    def queues_shrank(self) -> None:
        self.shrunk.set()
        self.shrunk = asyncio.Event()

    def queue_local(self, partition: int, commands: Sequence[SentCommand]) -> None:
        """The commands can be withdrawn from now on. The shard looks at them in another iteration of the event loop, so
        that requests of the same moment share a batch.
        """
        assignment = self.assignments[partition]
        assignment.shard.queue_local(commands)
        _local_of(partition).inc(len(commands))
        self.wake(assignment)

    def withdraw(self, partition: int, tickets: Collection[bytes]) -> Collection[bytes]:
        assignment = self.assignments.get(partition)
        withdrawn = () if assignment is None else assignment.shard.inbox.withdraw(tickets)
        self.queues_shrank()
        return withdrawn

    def hand_back(self, effect: HandBack) -> None:
        self.queues_shrank()
        if self.door is not None:
            self.door.handed_back(effect.queued, effect.taken)

    def leave(self, partition: int) -> None:
        """The partition is given away. Its commands were handed back, but a batch may have requeued some since."""
        self.assignments[partition].shard.inbox.withdraw_all()
        self.queues_shrank()
        if self.door is not None:
            self.door.leave(partition)

    def _owned(self, partition: int) -> Assignment | None:
        assignment = None if self.closed else self.assignments.get(partition)
        return assignment if assignment is not None and assignment.takes_commands else None
