"""Commands that have arrived at a shard and wait for their batch. Each gets a number, because
commands that do not come from the commands topic have no offset.
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
