"""Makes the log records of new entries: sets the position, time and hashes of each, and checks the result."""

from collections.abc import Sequence

from msgspec import UNSET, Raw, Struct

from daybook_command.domain.decision import NewEntry
from daybook_command.shard.effects import LogAppend
from daybook_command.shard.intake import OwnCommand, SentCommand
from daybook_contracts.commands.normalised import request_json
from daybook_contracts.entries.entry import VERSION, Entry, Metadata
from daybook_contracts.entries.hashing import ZERO_HASH, commit_hash, request_hash
from daybook_contracts.entries.identity import Identity
from daybook_contracts.entries.reading import TrustedEntry
from daybook_contracts.log.admission import VoidReason, admit
from daybook_contracts.log.head import Head
from daybook_contracts.log.sealing import seal
from daybook_contracts.senders.principals import DAYBOOK
from daybook_contracts.timestamps import timestamp


class OwnEntryVoidError(Exception):
    """An entry that this shard made does not extend the log. This is a bug, here or in the hash recipes."""


class Place(Struct, frozen=True, gc=False):
    """The next entry follows `head`. Its time is later than `last_us` and not before `now_us` (microseconds)."""

    partition: int
    head: Head
    last_us: int
    now_us: int


class Recorded(Struct, frozen=True, gc=False):
    """The records of a command's entries, the size of their values in bytes, and the log's head and last time after
    them.
    """

    appends: Sequence[LogAppend]
    size: int
    head: Head
    last_us: int


def record(
    item: SentCommand | OwnCommand, first_identity: Identity, entries: Sequence[NewEntry], salt: bytes, place: Place
) -> Recorded:
    """Records all entries of one command. `first_identity`: that of the first entry. Each record is checked with the
    admission rule, and contains the entry as the rule has read it from the bytes.
    """
    command, head, created_us, size = item.command, place.head, place.last_us, 0
    request = request_hash(salt, command.type, command.org_id, command.actor_user_id, request_json(command))
    traceparent = item.reply_to.traceparent if isinstance(item, SentCommand) else None
    appends: list[LogAppend] = []
    for ordinal, new in enumerate(entries):
        created_us = max(place.now_us, created_us + 1)
        identity = first_identity.at(ordinal)
        metadata = Metadata(
            command_id=command.id,
            commit=commit_hash(salt, new.data),
            data=Raw(new.data),
            entries=len(entries),
            error=new.error or UNSET,
            hash=ZERO_HASH,
            key=identity.key,
            ordinal=ordinal,
            partition=place.partition,
            position=head.position + 1,
            prev=head.hash,
            principal=str(DAYBOOK if new.by_policy else item.principal),
            request=request,
            salt=salt.hex(),
            scope=identity.scope,
            v=VERSION,
        )
        value = seal(_entry(new, identity, metadata, created_us))
        admitted = admit(head, place.partition, value)
        if isinstance(admitted, VoidReason) or admitted.entry is None:
            raise OwnEntryVoidError(str(admitted))
        appends.append(LogAppend(TrustedEntry(admitted.entry, new.fact, identity), value, traceparent))
        head, size = admitted.head, size + len(value)
    return Recorded(appends, size, head, created_us)


def _entry(new: NewEntry, identity: Identity, metadata: Metadata, created_us: int) -> Entry:
    return Entry(
        action=new.action,
        actor_user_id=new.actor_user_id,
        created_at=timestamp(created_us),
        entity_id=new.entity_id,
        entity_type=new.entity_type,
        id=identity.first_id(),
        metadata_json=metadata,
        org_id=new.org_id,
        project_id=new.project_id,
        result="success" if new.error is None else "failure",
    )
