"""Commands that have arrived at a shard and wait for their batch. Each has a number of its own, because a command need
not come from the commands topic, and then has no offset.
"""

from dataclasses import dataclass

from daybook_command.shard.records import CommandRecord


@dataclass(frozen=True, slots=True)
class Arrival:
    """`number`: the shard counts its arrivals, from 0. `size`: the bytes of the value and the headers."""

    number: int
    record: CommandRecord
    size: int

    @property
    def offset(self) -> int:
        return self.record.offset


def size_of(record: CommandRecord) -> int:
    return len(record.value or b"") + sum(len(value) for _, value in record.headers)
