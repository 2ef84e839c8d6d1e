"""The tails of this instance's shards, which share one limit."""

from collections.abc import Mapping
from dataclasses import dataclass

from daybook_command.engine.assignment import Assignment
from daybook_command.shard.tail import TailLimit


@dataclass(frozen=True, slots=True)
class Tails:
    assignments: Mapping[int, Assignment]
    limit: TailLimit

    def elsewhere(self, partition: int) -> int:
        """How many bytes all other partitions take beyond their shares."""
        others = [each.shard.memory.unprojected_bytes for at, each in self.assignments.items() if at != partition]
        return self.limit.excess(*others)
