"""Finds repeated commands and reused command ids among earlier entries. Compares identities, not only ids."""

from collections.abc import Collection, Mapping

from msgspec import Struct

from daybook_command.shard.answers import is_answerable
from daybook_command.shard.intake import SentCommand
from daybook_contracts.commands.normalised import request_json
from daybook_contracts.entries.entry import Entry, actor_of
from daybook_contracts.entries.hashing import request_hash
from daybook_contracts.entries.identity import Identity


class EarlierEntries(Struct, frozen=True, gc=False):
    """`tail`: entries that may not be projected yet. `table`: entries in PostgreSQL; None for an unreadable entry."""

    tail: Mapping[Identity, Entry]
    table: Mapping[Identity, Entry | None]

    def has(self, identity: Identity | None) -> bool:
        return identity is not None and (identity in self.tail or identity in self.table)

    def get(self, identity: Identity | None) -> Entry | None:
        return None if identity is None else self.tail.get(identity) or self.table.get(identity)

    def has_any(self, identities: Collection[Identity]) -> bool:
        return not (self.tail.keys().isdisjoint(identities) and self.table.keys().isdisjoint(identities))

    def entries_of_command(self, first: Identity) -> list[Entry] | None:
        """All entries of the command whose first entry has this identity; None if any of them is unreadable."""
        entry = self.get(first)
        count = 0 if entry is None else entry.metadata_json.entries
        found = [self.get(first.at(ordinal)) for ordinal in range(count)]
        entries = [each for each in found if each is not None and is_answerable(each)]
        return entries if entries and len(entries) == count else None

    def is_unreadable(self, identity: Identity) -> bool:
        return self.has(identity) and self.get(identity) is None


def find_repeat(item: SentCommand, earlier: EarlierEntries) -> Identity | None:
    """If the command was sent before, the identity of its first entry. That is an entry with the same request hash or,
    failing that, a redacted entry with the same type and actor.
    """
    found = [(identity, entry) for identity in item.identities if (entry := earlier.get(identity)) is not None]
    for identity, entry in found:
        if _is_same_request(item, entry):
            return identity
    for identity, entry in found:
        if entry.metadata_json.salt is None and _has_type_and_actor(item, entry):
            return identity
    return None


def is_id_reused(item: SentCommand, first_identity: Identity, earlier: EarlierEntries) -> bool:
    """Whether another command has used this command's id: either an entry of the other command has the identity that
    this command's first entry would get, or the same actor sent both.
    """
    if earlier.has(first_identity) or earlier.has(item.outsider_identity):
        return True
    entry = earlier.get(item.own_identity)
    return entry is not None and actor_of(entry) == item.command.actor_user_id


def _is_same_request(item: SentCommand, entry: Entry) -> bool:
    salt, command = entry.metadata_json.salt, item.command
    if salt is None:
        return False
    request = request_hash(
        bytes.fromhex(salt), command.type, command.org_id, command.actor_user_id, request_json(command)
    )
    return request == entry.metadata_json.request


def _has_type_and_actor(item: SentCommand, entry: Entry) -> bool:
    return entry.action == item.command.type and entry.actor_user_id == item.command.actor_user_id
