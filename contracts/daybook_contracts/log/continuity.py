"""Checks that a log is still the one that was projected. If it is not, LogChanged is raised, and the caller decides
what to do.
"""

from typing import Any

import orjson

from daybook_contracts.log.admission import Admitted, admit
from daybook_contracts.log.head import GENESIS, Head

# A batch that lost its race has fewer than 1,000 records. So many voids in a row mean that the log's continuation is
# gone.
MAX_VOIDS_IN_A_ROW = 100_000


class LogChanged(Exception):
    """The log is not the one that was projected: entries that Kafka acknowledged are gone."""


def check_bounds(next_offset: int, log_start: int, log_end: int) -> None:
    """Raises LogChanged if the log has lost its beginning, or if it ends before the last projected record."""
    if log_start > 0:
        raise LogChanged(f"the log starts at offset {log_start}, not at 0")
    if log_end < next_offset:
        raise LogChanged(f"the log ends at offset {log_end}, before the checkpoint's {next_offset}")


def check_head(head: Head, head_offset: int, partition: int, value: bytes | None) -> None:
    """Raises LogChanged if `value`, the record at `head_offset`, is not the entry that was the log's head there."""
    if head_of(partition, value) != head:
        raise LogChanged(
            f"the record at offset {head_offset} is not entry {partition}.{head.position}, which was there"
        )


def check_voids(voids_in_a_row: int) -> None:
    """Raises LogChanged if there are too many."""
    if voids_in_a_row >= MAX_VOIDS_IN_A_ROW:
        raise LogChanged(f"{voids_in_a_row} records in a row do not extend the log")


def head_of(partition: int, value: bytes | None) -> Head | None:
    """The log's head with this record, if its position and prev are taken as right; None if it is void even so."""
    try:
        metadata: dict[str, Any] = orjson.loads(value or b"")["metadata_json"]
        before = Head(metadata["position"] - 1, metadata["prev"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    admitted = admit(before if before.position >= 0 else GENESIS, partition, value)
    return admitted.head if isinstance(admitted, Admitted) else None
