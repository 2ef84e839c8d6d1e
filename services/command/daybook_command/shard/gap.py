"""Checks a batch that did not land at the expected offset: did another record extend the log first?"""

from collections.abc import Sequence
from dataclasses import dataclass

from daybook_command.shard.effects import Report, void
from daybook_command.shard.memory import Memory
from daybook_command.shard.records import LogRecord
from daybook_command.shard.state import BatchInFlight
from daybook_contracts.log.admission import VoidReason, admit
from daybook_contracts.log.continuity import check_head


@dataclass(frozen=True, slots=True)
class Gap:
    """`extended_at`: the offset of a record that extended the log before the batch; None if the batch extends it."""

    voids: list[Report]
    extended_at: int | None = None


def read_gap(memory: Memory, in_flight: BatchInFlight, records: Sequence[LogRecord]) -> Gap:
    """Raises LogChanged if the head is gone: Kafka lost the end of the log, which has grown again since. The gap proves
    nothing then (docs/log.md, rule 8).
    """
    if memory.head_offset >= 0:
        value = records[0].value if records[0].offset == memory.head_offset else None
        check_head(in_flight.base, memory.head_offset, memory.partition, value)
    voids: list[Report] = []
    for record in records[: len(records) - len(in_flight.appends)]:
        if record.offset < memory.end:
            continue
        admitted = admit(in_flight.base, memory.partition, record.value)
        if not isinstance(admitted, VoidReason):
            return Gap(voids, record.offset)
        voids.append(void(record, admitted))
    return Gap(voids)
