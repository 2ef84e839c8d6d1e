"""Checks a batch that was appended at a higher offset than expected: did another record extend the log first?"""

from dataclasses import dataclass

from daybook_command.shard.effects import Report, void_report
from daybook_command.shard.events import GapRead
from daybook_command.shard.memory import Memory
from daybook_command.shard.state import BatchInFlight
from daybook_contracts.log.admission import VoidReason, admit
from daybook_contracts.log.continuity import check_head, check_start


@dataclass(frozen=True, slots=True)
class Gap:
    """`extended_at`: the offset of a record that extended the log before the batch; None if the batch extends it."""

    voids: list[Report]
    extended_at: int | None = None


def check_gap(memory: Memory, in_flight: BatchInFlight, read: GapRead) -> Gap:
    """Checks the records between the head and the batch. Raises LogChanged if the gap proves nothing (docs/log.md,
    rule 8): the log has lost its beginning, or the head is no longer in the log. In the latter case, Kafka has lost the
    log's end, and the log has grown again.
    """
    check_start(read.log_start)
    records = read.records
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
        voids.append(void_report(record, admitted))
    return Gap(voids)
