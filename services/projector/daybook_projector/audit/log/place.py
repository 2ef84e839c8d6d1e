"""One entry as a source of the log has it."""

from typing import Final, NamedTuple

NO_OFFSET: Final = -1


class SourceRecord(NamedTuple):
    """`value`: the record's bytes; of a row of `audit_log`, the JCS bytes of the entry that it holds, under its first
    id. It is None if the source has no such bytes, and `fault` says why. `offset`: Kafka's, or NO_OFFSET.
    """

    partition: int
    position: int
    offset: int
    value: bytes | None
    fault: str | None = None
