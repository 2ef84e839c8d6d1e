"""Follows one partition's log entry by entry: records in, entries to fold and findings out. Pure."""

from collections.abc import Sequence
from typing import Final

from msgspec import UNSET, Struct, json

from daybook_contracts.json.canonical import NotCanonical, canonical_bytes
from daybook_contracts.log.admission import Admitted, VoidReason, admit
from daybook_contracts.log.continuity import head_of
from daybook_contracts.log.head import GENESIS, Head
from daybook_projector.audit.checks import digest
from daybook_projector.audit.checks.entry_checks import Judged, judge, next_position
from daybook_projector.audit.checks.finding import Finding, Place, shown
from daybook_projector.audit.checks.forms import as_json, is_time
from daybook_projector.audit.checks.own_checks import NO_HASH, NO_TIME, Expected
from daybook_projector.audit.checks.quick_check import CheckedRun, check_quickly
from daybook_projector.audit.checks.readable import readable_object
from daybook_projector.audit.log.place import NO_OFFSET
from daybook_projector.partition.entry import (
    PartitionEntry,
    poison_if_misplaced,
    read_partition_entry,
    trusted_partition_entry,
)


class Followed(Struct, frozen=True, gc=False):
    """One entry of the log. `value` is its JCS bytes. `row_hash` is the hash of its row in `audit_log`, or None if the
    record cannot be read. `entry` is what a fold takes, or None if the record cannot be read or nothing is folded.
    """

    position: int
    value: bytes
    row_hash: bytes | None
    org_id: str | None = None
    entry: PartitionEntry | None = None
    finding: Finding | None = None


class _Place(Struct, gc=False):
    position: int = -1
    prev: str = NO_HASH


class _Placed(Struct, gc=False):
    metadata_json: _Place


_PLACED: Final = json.Decoder(_Placed)


class Chain:
    """`head`: the position and hash of the last entry, with NO_HASH if that entry names no hash. `head_offset`: its
    Kafka offset. `digest`: the digest of the rows so far. `redacted`: the ids of redacted entries. `partitions`: None
    if their number is not known. `is_filtered`: entries were left out, so each entry is checked on its own and
    positions need only rise. `is_folded`: entries are prepared for a fold.
    """

    def __init__(
        self,
        partition: int,
        place: Place,
        *,
        partitions: int | None = None,
        is_filtered: bool = False,
        is_folded: bool = False,
    ) -> None:
        self.partition = partition
        self.place = place
        self.partitions = partitions
        self.is_filtered = is_filtered
        self.is_folded = is_folded
        self.head: Head = GENESIS
        self.head_offset = NO_OFFSET
        self.digest = digest.EMPTY
        self.entries = 0
        self.redacted: list[str] = []
        self._created_at = NO_TIME

    def go_on_from(self, head: Head, rows_digest: bytes, head_offset: int = NO_OFFSET) -> None:
        """Starts after the entries that a certificate vouches for."""
        self.head, self.digest, self.head_offset = head, rows_digest, head_offset

    def note_last_time(self, value: bytes | None) -> bool:
        """`value`: a record. If it is the entry at the head, the next entry must be later. Returns whether it is."""
        if head_of(self.partition, value) != self.head:
            return False
        created_at = (readable_object(value or b"") or {}).get("created_at")
        self._created_at = created_at if is_time(created_at) else NO_TIME
        return True

    def extend_all(self, offsets: Sequence[int], values: list[bytes]) -> list[Followed] | None:
        """Takes the records as the next entries, if they extend the log and are all certainly right. If not, takes
        none; call `extend` for each to find out what is wrong.
        """
        if not values or not self._is_chained:
            return None
        checked = check_quickly(values, self.partition, self.head, self._created_at, self.partitions)
        return None if checked is None else self._append_checked(offsets, values, checked)

    def extend(self, offset: int, value: bytes | None) -> Followed | VoidReason:
        """Takes the record as the next entry if it extends the log. If not, returns why it is void."""
        head = self.head if self._is_chained else self._own_head(value)
        if value is not None:
            checked = check_quickly([value], self.partition, head, self._created_at, self.partitions)
            if checked is not None:
                return self._append_checked([offset], [value], checked)[0]
        admitted = admit(head, self.partition, value)
        if isinstance(admitted, VoidReason):
            return admitted
        entry = read_partition_entry(offset, admitted)
        if self.partitions is not None:
            entry = poison_if_misplaced(entry, self.partition, self.partitions)
        judged = self._judge(admitted.value)
        finding = self._finding(judged, admitted.head.position)
        return self._append(admitted, entry, judged, finding)

    @property
    def _is_chained(self) -> bool:
        """Whether the next entry must name the last one's hash."""
        return not self.is_filtered and self.head.hash != NO_HASH

    def follow(self, offset: int, value: bytes | None) -> Followed:
        """Takes the next entry of a source that has no void records. An entry that does not extend the log is a
        finding, and the log continues from the position and hash of that entry.
        """
        followed = self.extend(offset, value)
        return followed if isinstance(followed, Followed) else self.step_over(offset, value)

    def step_over(self, offset: int, value: bytes | None, *, is_whole: bool = True) -> Followed:
        """Reports a record that does not extend the log, and continues after it. `is_whole`: see `judge`."""
        judged = self._judge(value, is_whole=is_whole)
        finding = self._finding(judged, next_position(self.head))
        readable = _readable(value)
        if readable is None:
            self._go_on(judged)
            return Followed(judged.head.position, value or b"", None, finding=finding)
        admitted = Admitted(judged.head, readable, None)
        return self._append(admitted, read_partition_entry(offset, admitted), judged, finding)

    def _own_head(self, value: bytes | None) -> Head:
        """The head before the record, as the record itself names it. Used if there is no chain to check. The position
        that the record names is used only if entries were left out, and only if it is above the last position.
        """
        try:
            own = _PLACED.decode(value or b"").metadata_json
        except (ValueError, RecursionError):
            return self.head
        is_anywhere = self.is_filtered and own.position > self.head.position
        return Head(own.position - 1 if is_anywhere else self.head.position, own.prev)

    def _judge(self, value: bytes | None, *, is_whole: bool = True) -> Judged:
        expected = Expected(self.partition, self.head, self._created_at, self.partitions, self.is_filtered)
        return judge(value, expected, is_whole=is_whole)

    def _append_checked(self, offsets: Sequence[int], values: list[bytes], checked: CheckedRun) -> list[Followed]:
        entries, facts, row_hashes = checked
        places = [entry.metadata_json for entry in entries]
        folded: list[PartitionEntry | None] = [None] * len(entries)
        if self.is_folded:
            heads = [Head(place.position, place.hash) for place in places]
            folded = list(map(trusted_partition_entry, offsets, heads, values, entries, facts))
        self.digest = digest.extended(self.digest, *row_hashes)
        self.head, self.head_offset = Head(places[-1].position, places[-1].hash), offsets[-1]
        self._created_at = entries[-1].created_at
        self.entries += len(entries)
        return [
            Followed(place.position, value, row_hash, entry.org_id, for_fold)
            for place, value, row_hash, entry, for_fold in zip(places, values, row_hashes, entries, folded, strict=True)
        ]

    def _append(self, admitted: Admitted, entry: PartitionEntry, judged: Judged, finding: Finding | None) -> Followed:
        data = None if admitted.entry is None else admitted.entry.metadata_json.data
        row_hash = digest.entry_row_hash(admitted.value, None if data is None else len(memoryview(data)))
        self.digest = digest.extended(self.digest, row_hash)
        self.head_offset = entry.offset
        self._go_on(judged)
        folded = entry if self.is_folded else None
        return Followed(admitted.head.position, admitted.value, row_hash, entry.org_id, folded, finding)

    def _go_on(self, judged: Judged) -> None:
        self.head, self._created_at = judged.head, judged.created_at
        self.entries += 1
        if judged.is_redacted and judged.entry_id is not None:
            self.redacted.append(judged.entry_id)

    def _finding(self, judged: Judged, position: int) -> Finding | None:
        """`position`: the position that was expected next."""
        if judged.fault is None:
            return None
        check, expected, found, field = judged.fault
        place = judged.position if self.is_filtered else position
        return Finding(
            check=check,
            place=self.place,
            partition=self.partition,
            position=UNSET if place is None else as_json(place),
            id=UNSET if judged.entry_id is None else judged.entry_id,
            field=field,
            expected=shown(expected),
            found=shown(found),
        )


def _readable(value: bytes | None) -> bytes | None:
    """The JCS bytes of an entry that did not extend the log; None if the record is not an entry."""
    entry = readable_object(value or b"")
    if entry is None or not isinstance(entry.get("metadata_json"), dict):
        return None
    try:
        return canonical_bytes(entry)
    except NotCanonical:
        return None
