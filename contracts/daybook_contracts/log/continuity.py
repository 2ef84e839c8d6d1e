"""Checks that a log is still the one that was projected. Raises LogChanged if not; the caller decides what to do."""

from typing import Any

import orjson

from daybook_contracts.log.admission import Admitted, admit
from daybook_contracts.log.head import GENESIS, Head

# If two batches race for the same place, the loser's records, fewer than 1,000, are void. 100,000 voids in a row mean
# that the entries which they were meant to extend are gone.
MAX_VOIDS_IN_A_ROW = 100_000


class LogChanged(Exception):
    """The log is not the one that was projected: entries that Kafka acknowledged are gone."""


def check_bounds(next_offset: int, log_start: int, log_end: int) -> None:
    """Raises LogChanged if the log has lost its beginning, or if it ends before the last projected record."""
    check_start(log_start)
    if log_end < next_offset:
        raise LogChanged(f"the log ends at offset {log_end}, before the checkpoint's {next_offset}")


def check_start(log_start: int) -> None:
    """Raises LogChanged if the log has lost its beginning."""
    if log_start > 0:
        raise LogChanged(f"the log starts at offset {log_start}, not at 0")


def check_end(log_end: int, ended_at: int) -> None:
    """Raises LogChanged if the log ends before `ended_at`, where it ended when the partition was taken over."""
    if log_end < ended_at:
        raise LogChanged(f"the log ends at offset {log_end}, but ended at {ended_at} when the partition was taken over")


def check_head(head: Head, head_offset: int, partition: int, value: bytes | None) -> None:
    """Raises LogChanged if `value`, the record that is now at `head_offset`, is not the entry of `head`."""
    if head_of(partition, value) != head:
        raise LogChanged(
            f"the record at offset {head_offset} is not entry {partition}.{head.position}, which was there"
        )


def check_voids(voids_in_a_row: int) -> None:
    """Raises LogChanged if there are `MAX_VOIDS_IN_A_ROW` or more."""
    if voids_in_a_row >= MAX_VOIDS_IN_A_ROW:
        raise LogChanged(f"{voids_in_a_row} records in a row do not extend the log")


def head_of(partition: int, value: bytes | None) -> Head | None:
    """The log's head after this record, assuming that its position and prev are right. None if the record is void for
    another reason.
    """
    try:
        metadata: dict[str, Any] = orjson.loads(value or b"")["metadata_json"]
        before = Head(metadata["position"] - 1, metadata["prev"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    admitted = admit(before if before.position >= 0 else GENESIS, partition, value)
    return admitted.head if isinstance(admitted, Admitted) else None
