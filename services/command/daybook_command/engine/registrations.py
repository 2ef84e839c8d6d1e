"""Says which users will not appear in the tables, because no registration of them is on its way."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from daybook_command.engine.assignment import Assignment
from daybook_command.shard.intake import SentCommand
from daybook_command.shard.machine import Shard
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.errors import KafkaAway

ENDS_SECONDS: Final = 0.5

Ends = Awaitable[Mapping[int, int]]
"""The end offsets of a topic's partitions, as of now. Raises KafkaAway."""


@dataclass(frozen=True, slots=True)
class Registrations:
    """`assignments`: the partitions of this instance. A user's registration is in the partition of the user's id.
    `command_ends`, `log_ends`: of the commands topic and of the log. `partitions`: of each topic. `is_under_way`:
    whether the door has a command of this key that it is publishing, or that a shard holds in memory.
    """

    assignments: Mapping[int, Assignment]
    command_ends: Callable[[Collection[int]], Ends]
    log_ends: Callable[[], Ends]
    partitions: int
    is_under_way: Callable[[str], bool]

    async def ruled_out(self, user_ids: Collection[str]) -> frozenset[str]:
        """Those of `user_ids` that are in the tables by now, and those that will not appear there unless somebody sends
        a registration after this call. Leaves out a user if this is not certain: for example, if another instance owns
        the user's partition, or if Kafka does not answer in time.
        """
        # Without users whose registration the door holds: it may be published after the ends have been read.
        places = {
            user_id: partition_of(user_id, self.partitions) for user_id in user_ids if not self.is_under_way(user_id)
        }
        partitions = sorted({at for at in places.values() if self._shard(at) is not None})
        if not partitions:
            return frozenset()
        try:
            async with asyncio.timeout(ENDS_SECONDS):
                command_ends, log_ends = await self.command_ends(partitions), await self.log_ends()
        except (KafkaAway, TimeoutError):
            return frozenset()
        found = {at: shard for at in partitions if (shard := self._shard(at)) is not None}
        knowing = {at: shard for at, shard in found.items() if _knows_all(shard, command_ends[at], log_ends[at])}
        registering = {at: _may_register(shard) for at, shard in knowing.items()}
        return frozenset(user_id for user_id, at in places.items() if at in knowing and user_id not in registering[at])

    def _shard(self, partition: int) -> Shard | None:
        """The shard, if this instance owns the partition and is not about to give it away."""
        assignment = self.assignments.get(partition)
        return assignment.shard if assignment is not None and assignment.takes_commands else None


def _knows_all(shard: Shard, command_end: int, log_end: int) -> bool:
    """Whether the shard has decided all published commands up to `command_end`, and has all entries up to `log_end` in
    its memory, or had them there until they were projected. If another instance already owns the partition, and
    the shard does not know that yet, the shard lacks that instance's entries.
    """
    return not shard.waits and shard.decided_to >= command_end and shard.memory.end >= log_end


def _may_register(shard: Shard) -> AbstractSet[str]:
    """The users who are registered but perhaps not projected, and those whom a local command may register."""
    waiting = (*shard.inbox.local.line, *shard.inbox.aside, *shard.in_flight.arrivals)
    local = (each.content.command.key for each in waiting if isinstance(each.content, SentCommand))
    return shard.memory.tail.users.keys() | local
