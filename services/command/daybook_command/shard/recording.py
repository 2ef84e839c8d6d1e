"""Drafts become records of the log: numbered, stamped, salted, hashed and checked, one after another on a head."""

from collections.abc import Sequence
from dataclasses import dataclass

from daybook_command.domain.drafts import Draft
from daybook_command.shard.intake import OwnCommand, SentCommand
from daybook_command.shard.messages import LogAppend
from daybook_contracts.commands.normalised import request_json
from daybook_contracts.entries.entry import Entry, decode_entry
from daybook_contracts.entries.hashing import request_hash
from daybook_contracts.entries.identity import Identity
from daybook_contracts.log.admission import VoidReason, admit
from daybook_contracts.log.head import Head
from daybook_contracts.log.sealing import Unsealed, seal
from daybook_contracts.timestamps import timestamp
from daybook_contracts.topics import entry_headers


class OwnEntryVoidError(Exception):
    """An entry of our own does not extend the log: a bug here or in the recipes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next entry goes: after `head`, stamped later than `last_us` and not before `now_us` (microseconds)."""

    partition: int
    head: Head
    last_us: int
    now_us: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """One entry, ready to be appended."""

    append: LogAppend
    entry: Entry
    head: Head
    created_us: int


def record(
    item: SentCommand | OwnCommand, standing: Identity, drafts: Sequence[Draft], salt: bytes, place: Place
) -> list[Recorded]:
    """All entries of one command, the first of them at `standing`. Each is put through the admission rule, as every
    reader will.
    """
    command, head, created_us = item.command, place.head, place.last_us
    request = request_hash(salt, command.type, command.org_id, command.actor_user_id, request_json(command))
    recorded: list[Recorded] = []
    for ordinal, draft in enumerate(drafts):
        created_us = max(place.now_us, created_us + 1)
        unsealed = Unsealed(
            id=standing.at(ordinal).first_id(),
            org_id=draft.org_id,
            project_id=draft.project_id,
            actor_user_id=draft.actor_user_id,
            action=draft.action,
            entity_type=draft.entity_type,
            entity_id=draft.entity_id,
            created_at=timestamp(created_us),
            partition=place.partition,
            command_id=command.id,
            ordinal=ordinal,
            entries=len(drafts),
            request=request,
            principal=str(draft.principal or item.principal),
            data=draft.data,
            result="success" if draft.error is None else "failure",
            salt=salt.hex(),
            error=draft.error,
            key=standing.key,
            scope=standing.scope,
        )
        recorded.append(_seal(unsealed, item, head, created_us))
        head = recorded[-1].head
    return recorded


def _seal(unsealed: Unsealed, item: SentCommand | OwnCommand, head: Head, created_us: int) -> Recorded:
    value = seal(unsealed, head).value
    next_head = admit(head, unsealed.partition, value)
    if isinstance(next_head, VoidReason):
        raise OwnEntryVoidError(f"{next_head}")
    key = item.command.key
    traceparent = item.reply_to.traceparent if isinstance(item, SentCommand) else None
    headers = tuple(entry_headers(unsealed.id, key, unsealed.created_at, traceparent))
    return Recorded(LogAppend(key.encode(), value, headers), decode_entry(value), next_head, created_us)
