"""One entry as a source of the log holds it."""

from typing import Final, NamedTuple

NO_OFFSET: Final = -1


class SourceRecord(NamedTuple):
    """`value`: the bytes of the record. For a row of `audit_log`, the JCS bytes of its entry, with the entry's first
    id. None if the source has no such bytes; `fault` then says why. `offset`: Kafka's offset, or NO_OFFSET.
    """

    partition: int
    position: int
    offset: int
    value: bytes | None
    fault: str | None = None
