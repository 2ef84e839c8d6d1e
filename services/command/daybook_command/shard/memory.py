"""What a shard knows of its partition: head, folded end, tail and cached orgs. They are lost together or not at all."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from daybook_command.shard.messages import LogRecord, Report, Snapshot
from daybook_command.shard.orgs import OrgCache
from daybook_command.shard.tail import Tail
from daybook_contracts.admission import GENESIS, Head, VoidReason, admit
from daybook_contracts.continuity import check_voids
from daybook_contracts.entries import Entry, PoisonEntry, read_entry
from daybook_contracts.timestamps import microseconds


@dataclass(slots=True)
class Memory:
    """`end`: the offset after the last folded record; `last_us`: created_at of the last admitted entry."""

    partition: int
    cache: OrgCache
    head: Head = GENESIS
    end: int = 0
    last_us: int = 0
    voids_in_a_row: int = 0
    tail: Tail = field(default_factory=Tail)

    def fold(self, records: Iterable[LogRecord]) -> list[Report]:
        """Take in the log's next records by the admission rule; what does not extend it is reported as void.
        Raises LogChanged where nothing extends it any more.
        """
        reports: list[Report] = []
        for record in records:
            verdict = admit(self.head, self.partition, record.value)
            self.end = record.offset + 1
            if isinstance(verdict, VoidReason):
                self.voids_in_a_row += 1
                check_voids(self.voids_in_a_row)
                reports.append(Report("void", f"offset {record.offset}: {verdict}"))
            else:
                self.voids_in_a_row = 0
                self.head = verdict
                reports += self._remember(record.value or b"", verdict.position)
        return reports

    def _remember(self, value: bytes, position: int) -> list[Report]:
        try:
            entry = read_entry(value)
        except PoisonEntry as poison:
            if poison.org_id is not None:
                self.tail.poison(poison.org_id, position)
            return [Report("poison", f"position {self.partition}.{position}: {poison.reason}")]
        self.last_us = max(self.last_us, microseconds(entry.created_at))
        self.tail.add(entry)
        return []

    def take_in(self, snapshot: Snapshot) -> None:
        """Bring orgs that were read anew up to our head. A poisoned one is not kept: PostgreSQL may say more of it."""
        for org_id, loaded in snapshot.orgs.items():
            if loaded.fresh:
                org = self.tail.replay(org_id, loaded.org, snapshot.checkpoint.head.position)
                if org_id not in self.tail.poisoned:
                    self.cache.put(org_id, org, loaded.generation)

    def append(self, entry: Entry, head: Head, created_us: int) -> None:
        """Take in an entry of our own, ahead of its acknowledgement; if that fails, this whole memory goes."""
        self.head = head
        self.last_us = created_us
        self.tail.add(entry)
