"""The content of a partition of the topic, as a checksum of all its records, which can be compared with that of the
entries of `audit_log`.
"""

from hashlib import sha256
from typing import NamedTuple

from daybook_projector.audit.log.topic import TopicLog
from daybook_projector.audit.restoring.refused import OtherRecords


class Written(NamedTuple):
    """`records`: how many records there are, at the offsets from 0 on. `sum`: the checksum of their values."""

    records: int
    sum: bytes


class ValuesSum:
    """A checksum of values in their order. How they are cut into pages makes no difference."""

    def __init__(self) -> None:
        self._sum = sha256()

    def add(self, value: bytes) -> None:
        self._sum.update(len(value).to_bytes(8, "big"))
        self._sum.update(value)

    def digest(self) -> bytes:
        return self._sum.digest()


async def read_written(topic: TopicLog, partition: int, most: int) -> Written:
    """Raises `KafkaAway`, and `OtherRecords` if there are more than `most` records, or an offset without a record."""
    first, end = await topic.bounds(partition)
    if first > 0:
        raise OtherRecords(topic.topic, partition, f"starts at offset {first}, not at 0")
    if end > most:
        raise OtherRecords(topic.topic, partition, f"has {end} records, and audit_log {most} entries")
    values, count = ValuesSum(), 0
    async for page in topic.records(partition, 0, end):
        for record in page:
            if record.offset != count:
                raise OtherRecords(topic.topic, partition, f"has no record at offset {count}")
            values.add(record.value or b"")
            count += 1
    return Written(count, values.digest())
