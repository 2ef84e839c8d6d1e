"""Records of the two topics that a shard reads: plain values."""

from dataclasses import dataclass

from daybook_contracts.limits import ENVELOPE_BYTES

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """A record of the commands topic; `timestamp_ms` is Kafka's. One record stands for a batch that is too large to be
    read: at the batch's last offset, without key, value and headers, and `lost_from` is the batch's first offset.
    """

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    lost_from: int | None = None

    @property
    def first_offset(self) -> int:
        return self.offset if self.lost_from is None else self.lost_from

    @property
    def is_oversize(self) -> bool:
        """Whether it is larger than any command. Its value may be cut to the beginning; no dead letter keeps it."""
        return self.value is not None and len(self.value) > ENVELOPE_BYTES


@dataclass(frozen=True, slots=True)
class LogRecord:
    """`offsets`: how many it stands for, up to its own; more than one if it replaces a batch too large to be read."""

    offset: int
    value: bytes | None
    offsets: int = 1
