"""The record that replaces a batch which is too large to be read.
Not in `lenient_records`, which makes it, because state machines that import no Kafka client have to know it, too.
"""


class LostBatch(bytes):
    """An empty value, of the record at `last_offset`. No sender can make one."""

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
