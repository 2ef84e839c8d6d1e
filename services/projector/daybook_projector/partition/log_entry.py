"""An admitted record as the projector handles it: the record's bytes in, columns, fact and fault out.
What cannot be read of it is None; nothing is raised.
"""

from dataclasses import dataclass, replace

import msgspec

from daybook_contracts.entries.entry import entry_data
from daybook_contracts.entries.facts import decode_fact
from daybook_contracts.entries.fields import Fact
from daybook_contracts.entries.reading import LooseEntry, PoisonEntry, loose_entry, raw_metadata, read_entry
from daybook_contracts.limits import ENTRIES
from daybook_contracts.log.head import Head
from daybook_contracts.routing import partition_of
from daybook_contracts.text import is_uuid
from daybook_contracts.timestamps import microseconds
from daybook_projector.projections.rule import Columns


@dataclass(frozen=True, slots=True)
class LogEntry:
    """`head` is the log's head with this entry. `columns` is None where no row of `audit_log` can be made of it.
    `fact` is what a success says; of a poison entry it is kept too where it can be read, but only its keys are used.
    """

    offset: int
    head: Head
    columns: Columns | None
    metadata: str
    fact: Fact | None
    poison: str | None
    command_id: str | None
    is_last: bool
    """Of its command."""

    @property
    def org_id(self) -> str | None:
        return None if self.columns is None else self.columns.org_id


class _Data(msgspec.Struct, gc=False):
    data: msgspec.Raw = msgspec.Raw()
    command_id: str | None = None
    ordinal: int = 0
    entries: int = 1


_DATA = msgspec.json.Decoder(_Data)


def read_log_entry(offset: int, head: Head, value: bytes) -> LogEntry:
    try:
        entry = read_entry(value)
    except PoisonEntry as poison:
        return _poisoned(offset, head, value, poison)
    metadata = entry.metadata_json
    return LogEntry(
        offset=offset,
        head=head,
        columns=entry,
        metadata=raw_metadata(value).decode(),
        fact=entry_data(entry) if entry.result == "success" else None,
        poison=None,
        command_id=metadata.command_id,
        is_last=metadata.ordinal + 1 == metadata.entries,
    )


def at_home(entry: LogEntry, partition: int, partitions: int) -> LogEntry:
    """The entry, or poison if its org's entries belong elsewhere: nothing orders it among them, and the
    shard that decides for the org does not see it.
    """
    if entry.org_id is None or entry.poison is not None:
        return entry
    home = partition_of(entry.org_id, partitions)
    if home == partition:
        return entry
    return replace(entry, poison=f"it stands in partition {partition}, and of {partitions} its org belongs to {home}")


def _poisoned(offset: int, head: Head, value: bytes, poison: PoisonEntry) -> LogEntry:
    loose = loose_entry(value)
    columns = loose if loose is not None and _fits_audit_log(loose) else None
    found = _metadata(columns)
    return LogEntry(
        offset=offset,
        head=head,
        columns=columns,
        metadata="" if columns is None else raw_metadata(value).decode(),
        fact=_loose_fact(columns, found),
        poison=poison.reason,
        command_id=found.command_id,
        # Nobody waits for the rest of a command that has more entries than any.
        is_last=not found.ordinal + 1 < found.entries <= ENTRIES,
    )


def _fits_audit_log(columns: LooseEntry) -> bool:
    ids = (columns.id, columns.entity_id, columns.org_id, columns.project_id, columns.actor_user_id)
    try:
        microseconds(columns.created_at)
    except (ValueError, OverflowError):
        return False
    return all(found is None or is_uuid(found) for found in ids)


def _metadata(columns: LooseEntry | None) -> _Data:
    try:
        return _Data() if columns is None else _DATA.decode(columns.metadata_json)
    except ValueError:
        return _Data()


def _loose_fact(columns: LooseEntry | None, metadata: _Data) -> Fact | None:
    if columns is None or columns.result != "success":
        return None
    try:
        return decode_fact(columns.action, metadata.data)
    except (KeyError, ValueError):
        return None
