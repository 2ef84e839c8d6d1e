"""Commands that have arrived at a shard and wait for their batch: records of the commands topic, and commands that the
door of this instance has handed over in memory. Each has a number of its own; only a record has an offset.
"""

from collections.abc import Iterable

from msgspec import Struct

from daybook_command.shard.intake import SentCommand
from daybook_command.shard.records import CommandRecord, DoorRecord

USUAL_BYTES = 4096
HEADER_OBJECT_BYTES = 150  # of one header's objects, without its text


class Arrival(Struct, frozen=True, gc=False, order=True, kw_only=True):
    """Ordered by `turn` (of a local command, see `LocalQueue`; 0 for a record), then by `number`: the shard numbers its
    arrivals from 0.

    `content`: a record that is not read yet, or a command from the door (a *local* command). `size`: see `size_of`.
    `offset`: of a record; None for a local command. `key`: the routing key of a local command; empty for a record.
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
    """The bytes of the value and of the headers' values, which take time to read. Also the memory of the key and the
    headers, beyond what is usual.
    """
    headers = record.headers
    extra = len(record.key or b"") + sum([len(name) for name, _ in headers]) + HEADER_OBJECT_BYTES * len(headers)
    return len(record.value or b"") + sum([len(value) for _, value in headers]) + max(0, extra - USUAL_BYTES)


def offsets_of(arrivals: Iterable[Arrival]) -> list[int]:
    return [offset for each in arrivals if (offset := each.offset) is not None]


def tickets_of(arrivals: Iterable[Arrival]) -> list[bytes]:
    return [ticket for each in arrivals if (ticket := each.ticket) is not None]
