"""Commands that have arrived at a shard and wait for their batch: records of the commands topic, and commands that the
door of this instance has handed over in memory. Each has a number of its own; only a record has an offset.
"""

from collections.abc import Iterable

from msgspec import Struct

from daybook_command.shard.intake import SentCommand
from daybook_command.shard.records import CommandRecord, DoorRecord


class Arrival(Struct, frozen=True, gc=False):
    """`number`: the shard counts its arrivals, from 0. `size`: the bytes of the value and the headers. `content`: a
    record that is not read yet, or a command from the door (a *local* command). `turn`: of a local command, see
    `LocalQueue`.
    """

    number: int
    content: CommandRecord | SentCommand
    size: int
    turn: int = 0

    def place(self) -> tuple[int, int]:
        """Its place in the queue."""
        return self.turn, self.number

    @property
    def key(self) -> str:
        """The routing key; empty for a record, which is not read yet."""
        return "" if isinstance(self.content, CommandRecord) else self.content.command.key

    @property
    def offset(self) -> int | None:
        return self.content.offset if isinstance(self.content, CommandRecord) else None

    @property
    def timestamp_ms(self) -> int | None:
        return self.content.timestamp_ms if isinstance(self.content, CommandRecord) else None

    @property
    def ticket(self) -> bytes | None:
        """By which the door knows a local command: its correlation id. None for a record."""
        return None if isinstance(self.content, CommandRecord) else self.content.reply_to.correlation_id


def size_of(record: CommandRecord | DoorRecord) -> int:
    return len(record.value or b"") + sum(len(value) for _, value in record.headers)


def offsets_of(arrivals: Iterable[Arrival]) -> list[int]:
    return [offset for each in arrivals if (offset := each.offset) is not None]


def tickets_of(arrivals: Iterable[Arrival]) -> list[bytes]:
    return [ticket for each in arrivals if (ticket := each.ticket) is not None]
