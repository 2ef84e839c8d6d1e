"""An entry of a partition's log as the projector handles it: an admitted record in; columns, fact and fault out. Parts
that cannot be read are None; no function here raises.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from daybook_contracts.entries.entry import Entry
from daybook_contracts.entries.facts import decode_fact
from daybook_contracts.entries.fields import Fact
from daybook_contracts.entries.reading import LooseEntry, PoisonEntry, raw_metadata, read_entry
from daybook_contracts.entries.reading_runs import trusted_facts
from daybook_contracts.limits import ENTRIES
from daybook_contracts.log.admission import Admitted
from daybook_contracts.log.head import Head
from daybook_contracts.routing import partition_of
from daybook_contracts.text import is_uuid
from daybook_contracts.timestamps import microseconds
from daybook_projector.projections.rule import Columns


class PartitionEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`head` is the log's head after this entry. `columns` is None if the entry cannot become a row of `audit_log`.
    `fact` is what a success entry states; None for a failure. A poison entry has its fact too, if the fact can be read.
    Such a fact is used only for the rows to which `audit_log` refers, and for chosen ids.
    """

    offset: int
    head: Head
    columns: Columns | None = None
    org_id: str | None = None
    """The org in `columns`."""
    metadata: str = ""
    fact: Fact | None = None
    poison: str | None = None
    command_id: str | None = None
    ends_command: bool = True
    """Whether it is the last entry of its command."""


class _LooseMetadata(msgspec.Struct, gc=False):
    data: msgspec.Raw = msgspec.Raw()
    command_id: str | None = None
    ordinal: int = 0
    entries: int = 1


_LOOSE_METADATA = msgspec.json.Decoder(_LooseMetadata)


def read_partition_entries(run: Sequence[tuple[int, Admitted]]) -> list[PartitionEntry]:
    """Reads the records, given with their offsets, as `read_partition_entry` does, but faster: the checks are made for
    the whole run at once. If one of them fails, the entries are checked one by one.
    """
    entries = [admitted.entry for _, admitted in run if admitted.entry is not None]
    try:
        facts = trusted_facts(entries, [bytes(entry.metadata_json.data) for entry in entries])
    except ValueError:
        facts = []
    if len(facts) != len(run):
        return [read_partition_entry(offset, admitted) for offset, admitted in run]
    return [
        trusted_partition_entry(offset, admitted.head, admitted.value, entry, fact)
        for (offset, admitted), entry, fact in zip(run, entries, facts, strict=True)
    ]


def read_partition_entry(offset: int, admitted: Admitted) -> PartitionEntry:
    try:
        trusted = read_entry(admitted.value, admitted.entry)
    except PoisonEntry as poison:
        return _read_poison_entry(offset, admitted.head, poison)
    return trusted_partition_entry(offset, admitted.head, admitted.value, trusted.entry, trusted.fact)


def trusted_partition_entry(offset: int, head: Head, value: bytes, entry: Entry, fact: Fact | None) -> PartitionEntry:
    metadata = entry.metadata_json
    return PartitionEntry(
        offset=offset,
        head=head,
        columns=entry,
        org_id=entry.org_id,
        metadata=raw_metadata(value).decode(),
        fact=fact,
        command_id=metadata.command_id,
        ends_command=metadata.ordinal + 1 == metadata.entries,
    )


def poison_if_misplaced(entry: PartitionEntry, partition: int, partitions: int) -> PartitionEntry:
    """The entry, marked as poison if its org belongs to another partition. Such an entry has no place in the order of
    the org's entries, and the shard that decides for the org does not see it.
    """
    if entry.org_id is None or entry.poison is not None:
        return entry
    home = partition_of(entry.org_id, partitions)
    if home == partition:
        return entry
    return replace(
        entry, poison=f"it is in partition {partition}, but its org belongs to partition {home} of {partitions}"
    )


def _read_poison_entry(offset: int, head: Head, poison: PoisonEntry) -> PartitionEntry:
    columns = poison.entry
    if columns is None or not _fits_audit_log(columns):
        return PartitionEntry(offset=offset, head=head, poison=poison.reason)
    metadata = _loose_metadata(columns)
    return PartitionEntry(
        offset=offset,
        head=head,
        columns=columns,
        org_id=columns.org_id,
        metadata=bytes(columns.metadata_json).decode(),
        fact=_loose_fact(columns, metadata),
        poison=poison.reason,
        command_id=metadata.command_id,
        # Do not wait for the rest of a command that claims more entries than a command can have.
        ends_command=not metadata.ordinal + 1 < metadata.entries <= ENTRIES,
    )


def _fits_audit_log(columns: LooseEntry) -> bool:
    ids = (columns.id, columns.entity_id, columns.org_id, columns.project_id, columns.actor_user_id)
    try:
        microseconds(columns.created_at)
    except (ValueError, OverflowError):
        return False
    return all(found is None or is_uuid(found) for found in ids)


def _loose_metadata(columns: LooseEntry) -> _LooseMetadata:
    try:
        return _LOOSE_METADATA.decode(columns.metadata_json)
    except ValueError:
        return _LooseMetadata()


def _loose_fact(columns: LooseEntry, metadata: _LooseMetadata) -> Fact | None:
    if columns.result != "success":
        return None
    try:
        return decode_fact(columns.action, metadata.data)
    except (KeyError, ValueError):
        return None
