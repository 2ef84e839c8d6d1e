"""Follows one partition's log entry by entry: records in, entries to fold and findings out. Pure."""

from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from daybook_contracts.json.canonical import canonical_bytes, parse_as_ecmascript
from daybook_contracts.log.admission import Admitted, VoidReason, admit
from daybook_contracts.log.head import GENESIS, Head
from daybook_projector.audit.checks import digest
from daybook_projector.audit.checks.entry_checks import Judged, judge
from daybook_projector.audit.checks.finding import Finding, Place, shown
from daybook_projector.audit.checks.own_checks import Expected, is_redacted
from daybook_projector.audit.log.place import NO_OFFSET
from daybook_projector.partition.entry import PartitionEntry, poison_if_misplaced, read_partition_entry


@dataclass(frozen=True, slots=True)
class Followed:
    """One entry of the log. `entry` is None if nothing of it can be read. `value`: its JCS bytes; `data_length`: of
    the JCS of its data, if it has the shape of version 1.
    """

    position: int
    value: bytes
    entry: PartitionEntry | None
    finding: Finding | None = None
    data_length: int | None = None


class Chain:
    """`head` is that of the log so far, `head_offset` Kafka's offset of its entry, `digest` that of the rows so far.
    `partitions` is None where their number is not known.
    """

    def __init__(self, partition: int, place: Place, *, partitions: int | None) -> None:
        self.partition = partition
        self.place = place
        self.partitions = partitions
        self.head: Head = GENESIS
        self.head_offset = NO_OFFSET
        self.digest = digest.EMPTY
        self.entries = 0
        self.redacted: list[str] = []
        self._created_at = ""

    def go_on_from(self, head: Head, rows_digest: bytes, head_offset: int = NO_OFFSET) -> None:
        """Start after the entries that a certificate vouches for."""
        self.head, self.digest, self.head_offset = head, rows_digest, head_offset

    def extend(self, offset: int, value: bytes | None) -> Followed | VoidReason:
        """The next entry, if the record extends the log."""
        admitted = admit(self.head, self.partition, value)
        if isinstance(admitted, VoidReason):
            return admitted
        entry = read_partition_entry(offset, admitted)
        if self.partitions is not None:
            entry = poison_if_misplaced(entry, self.partition, self.partitions)
        created_at = "" if entry.columns is None else entry.columns.created_at
        is_right = entry.poison is None and created_at > self._created_at
        finding = None if is_right else self._judge_admitted(admitted)
        data_length = self._append(admitted, offset, created_at)
        return Followed(self.head.position, admitted.value, entry, finding, data_length)

    def follow(self, offset: int, value: bytes | None) -> Followed:
        """The next entry of a source without voids: one that does not extend the log is a finding, and the log goes on
        from its own position and hash.
        """
        followed = self.extend(offset, value)
        return followed if isinstance(followed, Followed) else self.step_over(offset, value)

    def step_over(self, offset: int, value: bytes | None) -> Followed:
        """Report a record that does not extend the log, and go on from it."""
        position = self.head.position + 1
        judged = judge(value, self._expected())
        finding = self._finding(judged, position)
        readable = _readable(value)
        if readable is None:
            self.head, self.entries = judged.head, self.entries + 1
            return Followed(position, value or b"", None, finding)
        admitted = Admitted(judged.head, readable, None)
        entry = read_partition_entry(offset, admitted)
        self._append(admitted, offset, "" if entry.columns is None else entry.columns.created_at)
        return Followed(judged.head.position, readable, entry, finding)

    def _append(self, admitted: Admitted, offset: int, created_at: str) -> int | None:
        data = None if admitted.entry is None else admitted.entry.metadata_json.data
        length = None if data is None else len(memoryview(data))
        self.digest = digest.extended(self.digest, admitted.value, length)
        self.head, self.head_offset = admitted.head, offset
        self.entries += 1
        self._created_at = max(created_at, self._created_at)
        return length

    def _judge_admitted(self, admitted: Admitted) -> Finding | None:
        judged = judge(admitted.value, self._expected())
        parsed: Any = parse_as_ecmascript(admitted.value.decode())
        if is_redacted(parsed):
            self.redacted.append(parsed["id"])
        return self._finding(judged, admitted.head.position)

    def _expected(self) -> Expected:
        return Expected(self.partition, self.head, self._created_at, self.partitions)

    def _finding(self, judged: Judged, position: int) -> Finding | None:
        if judged.fault is None:
            return None
        check, expected, found = judged.fault
        return Finding(
            check=check,
            place=self.place,
            partition=self.partition,
            position=position,
            id=UNSET if judged.entry_id is None else judged.entry_id,
            expected=expected if expected is UNSET else shown(expected),
            found=found if found is UNSET else shown(found),
        )


def _readable(value: bytes | None) -> bytes | None:
    """The JCS bytes of an entry that did not extend the log; None if it is no entry."""
    try:
        parsed: Any = parse_as_ecmascript((value or b"").decode())
        canonical = canonical_bytes(parsed)
    except (ValueError, RecursionError):
        return None
    is_entry = isinstance(parsed, dict) and isinstance(parsed.get("metadata_json"), dict)
    return canonical if is_entry else None
