"""What a shard knows of its partition: head, folded end, tail and cached orgs. If any of it may be wrong, all of it is
dropped.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from msgspec.structs import replace
from orjson import loads

from daybook_command.domain.children import Children, with_children, without_children
from daybook_command.domain.permissions import is_outsider
from daybook_command.domain.references import ChildRef
from daybook_command.shard.effects import Report, void_report
from daybook_command.shard.org_cache import OrgCache
from daybook_command.shard.recording import Recorded
from daybook_command.shard.records import LogRecord
from daybook_command.shard.snapshot import LoadedOrg, OrgNeeds, Snapshot
from daybook_command.shard.tail import Tail
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.reading import PoisonEntry, read_entry
from daybook_contracts.log.admission import Admitted, VoidReason, admit
from daybook_contracts.log.continuity import check_voids
from daybook_contracts.log.head import GENESIS, Head
from daybook_contracts.timestamps import microseconds


@dataclass(slots=True)
class Memory:
    """`end`: the offset after the last folded record. `head_offset`: the offset of the last entry that is known to be
    in the log, or -1. `last_us`: created_at of the last admitted entry, in microseconds.

    `loaded`: for each org, the children read for the batch in flight. `awaited`: the partitions that are not yet
    projected up to the end that they had at the takeover, each with this end; None until the ends are known.
    """

    partition: int
    cache: OrgCache
    head: Head = GENESIS
    head_offset: int = -1
    end: int = 0
    last_us: int = 0
    voids_in_a_row: int = 0
    tail: Tail = field(default_factory=Tail)
    loaded: dict[str, list[ChildRef]] = field(default_factory=dict)
    awaited: Mapping[int, int] | None = None

    @property
    def unprojected_bytes(self) -> int:
        """The memory that waits for the projector: the tail, and what orgs take beyond the cache's limit, because orgs
        with entries in the tail cannot be evicted.
        """
        beyond = self.cache.weight - self.cache.limit if self.tail.by_org else 0
        return self.tail.weight + max(0, beyond)

    def fold(self, records: Iterable[LogRecord]) -> list[Report]:
        """Apply the admission rule to the log's next records. Records that do not extend the log are reported as void.
        Raises LogChanged after too many voids in a row.
        """
        reports: list[Report] = []
        for record in records:
            admitted = admit(self.head, self.partition, record.value)
            self.end = record.offset + 1
            if isinstance(admitted, VoidReason):
                self.voids_in_a_row += record.offsets
                check_voids(self.voids_in_a_row)
                reports.append(void_report(record, admitted))
            else:
                self.voids_in_a_row = 0
                self.head, self.head_offset = admitted.head, record.offset
                reports += self._remember(admitted)
        return reports

    def _remember(self, admitted: Admitted) -> list[Report]:
        position = admitted.head.position
        try:
            trusted = read_entry(admitted.value, admitted.entry)
        except PoisonEntry as poison:
            self.last_us = max(self.last_us, stamped_at(admitted.value))
            if poison.org_id is not None:
                self.tail.poison(poison.org_id, position)
            return [Report("poison", f"position {self.partition}.{position}: {poison.reason}")]
        self.last_us = max(self.last_us, microseconds(trusted.entry.created_at))
        self.tail.add(trusted)
        return []

    def add_snapshot(self, snapshot: Snapshot, needs: Iterable[OrgNeeds]) -> None:
        """Add the snapshot's rows to the cached orgs, as of the log's head. For an org that was read as a whole, replay
        the tail onto it. Otherwise add the children that no entry of the tail has touched. A poisoned org is not
        cached, because PostgreSQL may have newer rows of it later.
        """
        at = snapshot.checkpoint.head.position
        gone = {connection_id for connection_id, position in self.tail.deleted.items() if position > at}
        for need in needs:
            loaded = snapshot.orgs[need.org_id]
            self.loaded[need.org_id] = loaded.children.refs()
            if loaded.fresh:
                self._add_org(need.org_id, loaded, at)
            else:
                self._add_children(need, _without_deleted(loaded.children, gone))

    def _add_org(self, org_id: str, loaded: LoadedOrg, at: int) -> None:
        before = None if loaded.org is None else with_children(loaded.org, loaded.children, ())
        org = self.tail.replay(org_id, before, at)
        if org_id not in self.tail.poisoned:
            self.cache.put(org_id, org, loaded.generation)

    def _add_children(self, need: OrgNeeds, children: Children) -> None:
        cached = self.cache.get(need.org_id)
        if cached is None or cached.org is None:
            return
        touched = self.tail.touched.get(need.org_id, {})
        cached.org = with_children(cached.org, children, touched.keys())

    def is_outsider(self, command: Command) -> bool:
        """Whether the org is cached, and the command's actor is not a member of it at the log's head."""
        cached = None if command.org_id is None else self.cache.get(command.org_id)
        return cached is not None and is_outsider(command, cached.org)

    def unread_matches(self, need: OrgNeeds, snapshot: Snapshot) -> int:
        """How many dead letters match the filter but were not read; 0 if an entry after the snapshot has deleted the
        connection.
        """
        if need.filtered is None:
            return 0
        deleted = self.tail.deleted.get(need.filtered.connection_id, -1)
        gone = deleted > snapshot.checkpoint.head.position
        return 0 if gone else snapshot.orgs[need.org_id].children.unread_matches

    def append(self, recorded: Recorded) -> None:
        """Fold entries of the batch before Kafka acknowledges them. If the append fails, all memory is dropped."""
        self.head, self.last_us = recorded.head, recorded.last_us
        for made in recorded.appends:
            self.tail.add(made.trusted)

    def mark_appended(self, last_offset: int) -> None:
        """Note that the appended batch extends the log, and that its last entry, the head, is at `last_offset`."""
        self.head_offset = last_offset
        self.end = last_offset + 1
        self.voids_in_a_row = 0

    def settle(self, projected: int) -> None:
        """Drop the tail up to the position `projected`, and the children that no entry of the tail touches any more."""
        for org_id, ref in self.tail.prune(projected):
            self.loaded.setdefault(org_id, []).append(ref)
        for org_id, refs in self.loaded.items():
            cached = self.cache.orgs.get(org_id)
            if refs and cached is not None and cached.org is not None:
                touched = self.tail.touched.get(org_id, {})
                cached.org = without_children(cached.org, [ref for ref in refs if ref not in touched])
        self.loaded = {}


def _without_deleted(children: Children, gone: AbstractSet[str]) -> Children:
    """The children without those of the connections in `gone`, which were deleted after the snapshot: a new connection
    may have the same id.
    """
    if not gone:
        return children
    return replace(
        children,
        runs={id_: run for id_, run in children.runs.items() if run.connection_id not in gone},
        dead_letters={id_: each for id_, each in children.dead_letters.items() if each.connection_id not in gone},
    )


def stamped_at(value: bytes) -> int:
    """`created_at` of an admitted record in microseconds; 0 if it cannot be read."""
    try:
        return microseconds(loads(value)["created_at"])
    except (KeyError, TypeError, ValueError):
        return 0
