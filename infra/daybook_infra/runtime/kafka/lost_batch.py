"""The record that replaces a batch which is too large to be read. `lenient_records` creates it. It has its own module
because state machines use it too, and they import no Kafka client.
"""


class LostBatch(bytes):
    """The empty value of the record at `last_offset`, which stands for the whole batch. No sender can produce one."""

    first_offset: int
    last_offset: int

    @classmethod
    def of(cls, first_offset: int, last_offset: int) -> "LostBatch":
        made = cls()
        made.first_offset, made.last_offset = first_offset, last_offset
        return made

    @property
    def offsets(self) -> int:
        return self.last_offset - self.first_offset + 1


def offsets_of(value: bytes | None) -> int:
    """How many offsets of its partition a record with this value stands for."""
    return value.offsets if isinstance(value, LostBatch) else 1
