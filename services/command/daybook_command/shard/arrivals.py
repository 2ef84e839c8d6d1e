"""Commands that have arrived at a shard and wait for their batch: records of the commands topic, and commands that the
door of this instance has handed over in memory. Each has a number of its own; only a record has an offset.
"""

from collections.abc import Iterable

from msgspec import Struct

from daybook_command.shard.intake import SentCommand
from daybook_command.shard.records import CommandRecord, DoorRecord


class Arrival(Struct, frozen=True, gc=False, order=True, kw_only=True):
    """Ordered by its place in the queue: the turn of a local command (see `LocalQueue`; 0 for a record), then `number`:
    the shard counts its arrivals, from 0.

    `content`: a record that is not read yet, or a command from the door (a *local* command). `size`: the bytes of the
    value and the headers. `offset`: of a record; None for a local command. `key`: the routing key of a local command;
    empty for a record.
    """

    turn: int = 0
    number: int
    content: CommandRecord | SentCommand
    size: int
    offset: int | None = None
    key: str = ""

    @property
    def timestamp_ms(self) -> int | None:
        return self.content.timestamp_ms if isinstance(self.content, CommandRecord) else None

    @property
    def ticket(self) -> bytes | None:
        """The correlation id, by which the door knows a local command; None for a record."""
        return None if isinstance(self.content, CommandRecord) else self.content.reply_to.correlation_id


def size_of(record: CommandRecord | DoorRecord) -> int:
    return len(record.value or b"") + sum([len(value) for _, value in record.headers])


def offsets_of(arrivals: Iterable[Arrival]) -> list[int]:
    return [offset for each in arrivals if (offset := each.offset) is not None]


def tickets_of(arrivals: Iterable[Arrival]) -> list[bytes]:
    return [ticket for each in arrivals if (ticket := each.ticket) is not None]
