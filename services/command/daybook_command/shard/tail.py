"""The tail: in memory and in order, every admitted entry that was not projected at the latest look-up."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from daybook_command.domain.evolve import NotFoldable, evolve
from daybook_command.domain.references import ChildRef
from daybook_command.domain.registry import FOLDS
from daybook_command.domain.state import Org
from daybook_contracts.entries.entry import Entry, fact_of
from daybook_contracts.entries.fields import Changeable
from daybook_contracts.entries.identity import Identity
from daybook_contracts.entries.reading import TrustedEntry

# Bytes of memory, measured with tracemalloc: of an entry without its data, and of each child that it touches.
ENTRY_BYTES: Final = 2_800
REF_BYTES: Final = 170


class TailLimit(Struct, frozen=True):
    """`total`: how many bytes the tails of a process may take together, with the orgs that they keep in memory.

    Half of `total` is divided into equal shares, one for each partition of the log. The other half is for tails that
    outgrow their shares. So a partition whose projection has stalled does not stop the others, and may take more than a
    fair part while the others need less.
    """

    total: int
    partitions: int

    def excess(self, *weights: int) -> int:
        """How far tails of these weights exceed their shares."""
        share = self.total // 2 // self.partitions
        return sum([weight - share for weight in weights if weight > share])

    def is_exceeded(self, weight: int, elsewhere: int) -> bool:
        """Whether a tail of this weight must not grow. `elsewhere`: the excess of all other tails of the process."""
        excess = self.excess(weight)
        return excess > 0 and excess + elsewhere > self.total // 2


class TailEntry(Struct, frozen=True, gc=False):
    """An entry, the children that it touched, and its weight: about how many bytes of memory it takes."""

    entry: Entry
    identity: Identity
    refs: tuple[ChildRef, ...]
    weight: int


@dataclass(slots=True)
class Tail:
    """`pruned_position`: entries up to this position are projected and dropped from the tail (-1: none yet).
    `weight`: of all entries, in bytes.

    `touched`: for each org, the children that entries of the tail made or changed, each with the position of the last
    such entry. `deleted`: deleted connections, with the position of their deletion. `users`, `poisoned`: registered
    users and poisoned orgs, with the position of the entry.
    """

    pruned_position: int = -1
    kept: deque[TailEntry] = field(default_factory=deque)
    weight: int = 0
    by_identity: dict[Identity, Entry] = field(default_factory=dict)
    by_org: dict[str, deque[Entry]] = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)
    poisoned: dict[str, int] = field(default_factory=dict)
    touched: dict[str, dict[ChildRef, int]] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.kept)

    def hash_at(self, position: int) -> str | None:
        """The hash of the entry at `position`; None if the tail does not have it, or it could not be read."""
        index = position - self.kept[0].entry.metadata_json.position if self.kept else -1
        if not 0 <= index < len(self.kept):
            return None
        metadata = self.kept[index].entry.metadata_json
        return metadata.hash if metadata.position == position else None

    def add(self, trusted: TrustedEntry) -> None:
        entry, refs = trusted.entry, self._touch(trusted)
        weight = ENTRY_BYTES + len(bytes(entry.metadata_json.data)) + REF_BYTES * len(refs)
        kept = TailEntry(entry, trusted.identity, refs, weight)
        self.kept.append(kept)
        self.weight += kept.weight
        self.by_identity.setdefault(kept.identity, entry)
        if entry.org_id is not None:
            self.by_org.setdefault(entry.org_id, deque()).append(entry)
        elif entry.entity_type == "user" and entry.result == "success":
            self.users[entry.entity_id] = entry.metadata_json.position

    def _touch(self, trusted: TrustedEntry) -> tuple[ChildRef, ...]:
        entry, fact = trusted.entry, trusted.fact
        if fact is None or entry.org_id is None or (isinstance(fact, Changeable) and fact.changed is False):
            return ()
        fold, position = FOLDS[type(fact)], entry.metadata_json.position
        refs = fold.touches(fact)
        if refs:
            self.touched.setdefault(entry.org_id, {}).update(dict.fromkeys(refs, position))
        self.deleted.update(dict.fromkeys(fold.deletes(fact), position))
        return refs

    def poison(self, org_id: str, position: int) -> None:
        """Note that an admitted entry of the org cannot be read or folded. No command of the org is decided until the
        entry is projected.
        """
        self.poisoned.setdefault(org_id, position)

    def prune(self, position: int) -> list[tuple[str, ChildRef]]:
        """Drop the entries up to and including `position`, which are projected. Returns the children that no entry of
        the tail touches any more, each with its org.
        """
        settled: list[tuple[str, ChildRef]] = []
        while self.kept and self.kept[0].entry.metadata_json.position <= position:
            settled += self._forget(self.kept.popleft())
        self.users = {user_id: at for user_id, at in self.users.items() if at > position}
        self.poisoned = {org_id: at for org_id, at in self.poisoned.items() if at > position}
        self.deleted = {connection_id: at for connection_id, at in self.deleted.items() if at > position}
        self.pruned_position = max(self.pruned_position, position)
        return settled

    def _forget(self, kept: TailEntry) -> list[tuple[str, ChildRef]]:
        entry = kept.entry
        self.weight -= kept.weight
        if self.by_identity.get(kept.identity) is entry:
            del self.by_identity[kept.identity]
        if entry.org_id is None:
            return []
        of_org = self.by_org[entry.org_id]
        of_org.popleft()
        if not of_org:
            del self.by_org[entry.org_id]
        return self._drop_touches(entry.org_id, entry.metadata_json.position, kept.refs)

    def _drop_touches(self, org_id: str, position: int, refs: tuple[ChildRef, ...]) -> list[tuple[str, ChildRef]]:
        settled: list[tuple[str, ChildRef]] = []
        touched = self.touched.get(org_id, {})
        for ref in refs:
            if touched.get(ref) == position:
                del touched[ref]
                settled.append((org_id, ref))
        if not touched:
            self.touched.pop(org_id, None)
        return settled

    def replay(self, org_id: str, org: Org | None, after: int) -> Org | None:
        """Folds the entries after position `after` into `org`. If an entry cannot be folded, the org counts as
        poisoned.
        """
        for entry in self.by_org.get(org_id, ()):
            position = entry.metadata_json.position
            if position <= after or entry.result == "failure":
                continue
            try:
                org = evolve(org, entry.actor_user_id, fact_of(entry))
            except NotFoldable:
                self.poison(org_id, position)
                break
        return org
