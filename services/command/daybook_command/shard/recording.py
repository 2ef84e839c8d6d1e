"""Drafts become records of the log: numbered, stamped, salted, hashed and checked, one after another on a head."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET, Raw

from daybook_command.domain.drafts import Draft
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
from daybook_contracts.timestamps import timestamp


class OwnEntryVoidError(Exception):
    """An entry of our own does not extend the log: a bug here or in the recipes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next entry goes: after `head`, stamped later than `last_us` and not before `now_us` (microseconds)."""

    partition: int
    head: Head
    last_us: int
    now_us: int


def record(
    item: SentCommand | OwnCommand, standing: Identity, drafts: Sequence[Draft], salt: bytes, place: Place
) -> list[LogAppend]:
    """All entries of one command, the first of them at `standing`. Each passes the admission rule as every reader
    applies it, and what leaves is the entry that the rule read from the bytes.
    """
    command, head, created_us = item.command, place.head, place.last_us
    request = request_hash(salt, command.type, command.org_id, command.actor_user_id, request_json(command))
    traceparent = item.reply_to.traceparent if isinstance(item, SentCommand) else None
    recorded: list[LogAppend] = []
    for ordinal, draft in enumerate(drafts):
        created_us = max(place.now_us, created_us + 1)
        identity = standing.at(ordinal)
        metadata = Metadata(
            command_id=command.id,
            commit=commit_hash(salt, draft.data),
            data=Raw(draft.data),
            entries=len(drafts),
            error=draft.error or UNSET,
            hash=ZERO_HASH,
            key=identity.key,
            ordinal=ordinal,
            partition=place.partition,
            position=head.position + 1,
            prev=head.hash,
            principal=str(draft.principal or item.principal),
            request=request,
            salt=salt.hex(),
            scope=identity.scope,
            v=VERSION,
        )
        value = seal(_entry(draft, identity, metadata, created_us))
        admitted = admit(head, place.partition, value)
        if isinstance(admitted, VoidReason) or admitted.entry is None:
            raise OwnEntryVoidError(str(admitted))
        recorded.append(LogAppend(TrustedEntry(admitted.entry, draft.fact, identity), value, traceparent))
        head = admitted.head
    return recorded


def _entry(draft: Draft, identity: Identity, metadata: Metadata, created_us: int) -> Entry:
    return Entry(
        action=draft.action,
        actor_user_id=draft.actor_user_id,
        created_at=timestamp(created_us),
        entity_id=draft.entity_id,
        entity_type=draft.entity_type,
        id=identity.first_id(),
        metadata_json=metadata,
        org_id=draft.org_id,
        project_id=draft.project_id,
        result="success" if draft.error is None else "failure",
    )
