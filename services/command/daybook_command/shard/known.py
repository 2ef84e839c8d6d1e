"""What the log has under a command's id already: identities in, entries out. Memory and table are looked at together;
entries are compared by identity, never by id alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from daybook_command.shard.answers import is_answerable
from daybook_command.shard.intake import SentCommand
from daybook_contracts.commands.normalised import request_json
from daybook_contracts.entries.entry import Entry, actor_of
from daybook_contracts.entries.hashing import request_hash
from daybook_contracts.entries.identity import Identity


@dataclass(frozen=True, slots=True)
class Known:
    """`tail`: entries that PostgreSQL may not have yet; `table`: those that it had, None for one that this version
    cannot read.
    """

    tail: Mapping[Identity, Entry]
    table: Mapping[Identity, Entry | None]

    def has(self, identity: Identity | None) -> bool:
        return identity is not None and (identity in self.tail or identity in self.table)

    def get(self, identity: Identity | None) -> Entry | None:
        return None if identity is None else self.tail.get(identity) or self.table.get(identity)

    def command_at(self, first: Identity) -> list[Entry] | None:
        """All entries of the command whose first one is this; None where any of it cannot be read."""
        entry = self.get(first)
        count = 0 if entry is None else entry.metadata_json.entries
        found = [self.get(first.at(ordinal)) for ordinal in range(count)]
        entries = [each for each in found if each is not None and is_answerable(each)]
        return entries if entries and len(entries) == count else None

    def is_unreadable(self, identity: Identity) -> bool:
        return self.has(identity) and self.get(identity) is None


def repeated(item: SentCommand, known: Known) -> Identity | None:
    """The first entry of the same command, sent before: one with an equal request, else one without a salt (it is
    redacted) of the same type and actor.
    """
    before = [(identity, entry) for identity in item.identities if (entry := known.get(identity)) is not None]
    for identity, entry in before:
        if _is_same_request(item, entry):
            return identity
    for identity, entry in before:
        if entry.metadata_json.salt is None and _has_type_and_actor(item, entry):
            return identity
    return None


def is_reused(item: SentCommand, standing: Identity, known: Known) -> bool:
    """Whether the id is taken where the command's entries would stand (`standing`), or by its own actor."""
    if known.has(standing) or known.has(item.outsider):
        return True
    home = known.get(item.home)
    return home is not None and actor_of(home) == item.command.actor_user_id


def _is_same_request(item: SentCommand, entry: Entry) -> bool:
    salt, command = entry.metadata_json.salt, item.command
    if salt is None:
        return False
    of_item = request_hash(
        bytes.fromhex(salt), command.type, command.org_id, command.actor_user_id, request_json(command)
    )
    return of_item == entry.metadata_json.request


def _has_type_and_actor(item: SentCommand, entry: Entry) -> bool:
    return entry.action == item.command.type and entry.actor_user_id == item.command.actor_user_id
