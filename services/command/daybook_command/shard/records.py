"""Records of the two topics that a shard reads, and of commands that the door did not publish. Plain values."""

from msgspec import Struct

from daybook_contracts.limits import ENVELOPE_BYTES

Headers = tuple[tuple[str, bytes], ...]


class CommandRecord(Struct, frozen=True, gc=False):
    """A record of the commands topic; `timestamp_ms` is Kafka's. A batch that is too large to be read is replaced by
    one record at the batch's last offset, without key, value and headers. Its `lost_from` is the batch's first offset.
    `is_bare`: it has too many headers, so none of them was read.
    """

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    lost_from: int | None = None
    is_bare: bool = False

    @property
    def first_offset(self) -> int:
        return self.offset if self.lost_from is None else self.lost_from

    @property
    def is_oversize(self) -> bool:
        """Whether the value is larger than any command. It may be cut, and dead letters leave it out."""
        return self.value is not None and len(self.value) > ENVELOPE_BYTES


class DoorRecord(Struct, frozen=True, gc=False):
    """The record that the HTTP door would have published for a command that it gave to the shard in memory."""

    key: bytes
    value: bytes
    headers: Headers

    @property
    def is_oversize(self) -> bool:
        """Never: the door publishes a command that is too large, so that the intake refuses it."""
        return False


class LogRecord(Struct, frozen=True, gc=False):
    """`offsets`: how many offsets the record covers, up to its own. More than 1 if it replaces a batch that is too
    large to be read.
    """

    offset: int
    value: bytes | None
    offsets: int = 1
