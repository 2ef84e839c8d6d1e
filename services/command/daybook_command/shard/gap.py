"""Somebody wrote between a shard's folded end and its own batch. The log from the shard's head on comes in; whether the
batch stands goes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from daybook_command.shard.in_flight import Flight
from daybook_command.shard.memory import Memory
from daybook_command.shard.messages import LogRecord, Report, void
from daybook_contracts.log.admission import VoidReason, admit
from daybook_contracts.log.continuity import check_head


@dataclass(frozen=True, slots=True)
class Gap:
    """`extended_at`: the offset of a record that extended the log before the batch did; None if the batch stands."""

    voids: list[Report]
    extended_at: int | None = None


def read_gap(memory: Memory, flight: Flight, records: Sequence[LogRecord]) -> Gap:
    """Raises LogChanged where the head is not there any more: Kafka lost the end of the log, which then grew again past
    what the shard had folded. What is in the gap says nothing then (docs/log.md, rule 8).
    """
    if memory.head_offset >= 0:
        value = records[0].value if records[0].offset == memory.head_offset else None
        check_head(flight.base, memory.head_offset, memory.partition, value)
    voids: list[Report] = []
    for record in records[: len(records) - len(flight.appends)]:
        if record.offset < memory.end:
            continue
        admitted = admit(flight.base, memory.partition, record.value)
        if not isinstance(admitted, VoidReason):
            return Gap(voids, record.offset)
        voids.append(void(record, admitted))
    return Gap(voids)
