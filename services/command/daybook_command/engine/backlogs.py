"""Paces the shards while many local commands wait, so that a key's only command need not wait for other keys' backlogs.

A newcomer, a command that arrived when no other command of its key was waiting, is decided as soon as its shard can
begin a batch. All other commands are the backlog, and shards take turns with it: at most AT_ONCE shards work on the
backlog at the same time, in batches of a limited size.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from daybook_command.engine.assignment import Assignment
from daybook_command.shard.local_queue import Waiting
from daybook_command.shard.machine import Shard
from daybook_command.shard.state import MAX_COMMANDS, BatchInFlight, ShardPhase

# The shards are paced while the process has more local commands than this, queued or in a batch. Fewer are decided in
# about 20 ms.
CROWD: Final = MAX_COMMANDS
# How many shards may look up or decide a batch of the backlog. Batches that wait for Kafka, or for locks on
# users, do not count, so that neither a slow acknowledgement nor a row that somebody has locked delays other shards.
# With 1, each command costs a fifth more, because fewer commands share a look-up.
AT_ONCE: Final = 2
# How many local commands a batch of the backlog may have in addition to newcomers: 2 to 3 ms of deciding. With 16, each
# command costs a tenth more.
MOST_ON_TURN: Final = 24


@dataclass(slots=True)
class Backlogs:
    """`look`: lets a shard look at its queue now. `waiting`: the partitions whose shards have a backlog, in order of
    their next turns. `turns`: by partition, the batch of a shard whose turn it is. `queued`: the local commands that
    wait for a batch. `taken`: by partition, how many local commands the batch in progress has taken.
    """

    assignments: Mapping[int, Assignment]
    look: Callable[[Assignment], None]
    queued: Waiting
    waiting: dict[int, None] = field(default_factory=dict)
    turns: dict[int, BatchInFlight] = field(default_factory=dict)
    taken: dict[int, int] = field(default_factory=dict)

    @property
    def _is_crowded(self) -> bool:
        return self.queued.count + sum(self.taken.values()) > CROWD

    def before_event(self, shard: Shard) -> BatchInFlight | None:
        """Sets how many local commands the shard may take into a batch that it begins on its next event. If this batch
        may be its turn, returns the batch that is in flight until then, so that `after_event` can tell whether another
        one has begun; otherwise None.
        """
        if not self._is_crowded:
            shard.inbox.most_local = sys.maxsize
            return None
        may_have_turn = len(self.turns) < AT_ONCE
        shard.inbox.most_local = shard.inbox.local.front + (MOST_ON_TURN if may_have_turn else 0)
        return shard.in_flight if may_have_turn else None

    def after_event(self, shard: Shard, before: BatchInFlight | None) -> None:
        """`before`: what `before_event` returned. A shard that cannot begin a batch at once does not get a turn, so it
        does not delay other shards.
        """
        partition, batch = shard.partition, shard.in_flight
        if batch.local_count:
            self.taken[partition] = batch.local_count
        else:
            self.taken.pop(partition, None)
        if before is not None and batch is not before and batch.local_count and shard.phase is ShardPhase.LOADING:
            self.waiting.pop(partition, None)
            self.turns[partition] = batch
        elif self.turns.get(partition) is not batch or shard.phase is not ShardPhase.LOADING:
            self.turns.pop(partition, None)
        # Even if there is no crowd now: it may have dissolved after `before_event` kept the shard from taking commands.
        if shard.inbox.local.line:
            self.waiting.setdefault(partition)
        self._give_turns()

    def must_look(self, shard: Shard) -> bool:
        """Whether the shard must look at its queue, in which a command has arrived. If it has a batch, it looks when
        that is finished.
        """
        if shard.phase is ShardPhase.READY:
            return True
        self.waiting.setdefault(shard.partition)
        return False

    def leave(self, partition: int) -> None:
        """The partition was given away."""
        for each in (self.waiting, self.turns, self.taken):
            each.pop(partition, None)
        self._give_turns()

    def _give_turns(self) -> None:
        for partition in list(self.waiting):
            if len(self.turns) >= AT_ONCE and self._is_crowded:
                return
            shard = self.assignments[partition].shard
            if not shard.inbox.local.line:
                self.waiting.pop(partition, None)
            elif partition in self.waiting and shard.phase is ShardPhase.READY and shard.held is None:
                del self.waiting[partition]
                self.look(self.assignments[partition])
