"""The tail: every admitted entry that PostgreSQL had not projected at the latest look-up, in order, in memory."""

from collections import deque
from dataclasses import dataclass, field

from daybook_command.domain.evolve import NotFoldable, evolve
from daybook_command.domain.state import Org
from daybook_contracts.entries import Entry, entry_data


@dataclass(slots=True)
class Tail:
    """`pruned_position`: everything up to here is in PostgreSQL and gone from memory (-1: nothing yet)."""

    pruned_position: int = -1
    entries: deque[Entry] = field(default_factory=deque)
    by_id: dict[str, Entry] = field(default_factory=dict)
    by_org: dict[str, deque[Entry]] = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)
    poisoned: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.entries)

    def hash_at(self, position: int) -> str | None:
        """The hash of the entry at `position`, None if it is not (or cannot be read) here."""
        index = position - self.entries[0].metadata_json.position if self.entries else -1
        if not 0 <= index < len(self.entries):
            return None
        metadata = self.entries[index].metadata_json
        return metadata.hash if metadata.position == position else None

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.by_id[entry.id] = entry
        if entry.org_id is not None:
            self.by_org.setdefault(entry.org_id, deque()).append(entry)
        elif entry.action == "REGISTER_USER" and entry.result == "success":
            self.users[entry.entity_id] = entry.metadata_json.position

    def poison(self, org_id: str, position: int) -> None:
        """An admitted entry that cannot be read closes its org until PostgreSQL says more of it."""
        self.poisoned.setdefault(org_id, position)

    def prune(self, position: int) -> None:
        """Forget what is projected up to and with `position`."""
        while self.entries and self.entries[0].metadata_json.position <= position:
            self._forget(self.entries.popleft())
        self.users = {user_id: at for user_id, at in self.users.items() if at > position}
        self.poisoned = {org_id: at for org_id, at in self.poisoned.items() if at > position}
        self.pruned_position = max(self.pruned_position, position)

    def _forget(self, entry: Entry) -> None:
        del self.by_id[entry.id]
        if entry.org_id is not None:
            of_org = self.by_org[entry.org_id]
            of_org.popleft()
            if not of_org:
                del self.by_org[entry.org_id]

    def replay(self, org_id: str, org: Org | None, after: int) -> Org | None:
        """`org` as of position `after`, brought up to the end of the tail; an entry that does not fold closes it."""
        for entry in self.by_org.get(org_id, ()):
            position = entry.metadata_json.position
            if position <= after or entry.result == "failure":
                continue
            try:
                org = evolve(org, entry.actor_user_id, entry_data(entry))
            except NotFoldable:
                self.poison(org_id, position)
                break
        return org
