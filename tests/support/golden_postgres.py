"""The golden transcript's PostgreSQL, in memory: stores the projector's batches, and gives out rows and snapshots."""

import json
from collections.abc import Iterable
from typing import Any

from msgspec import Raw, structs
from msgspec.structs import replace

from daybook_command.domain.evolve import evolve
from daybook_command.shard.snapshot import Needs, Snapshot
from daybook_contracts.entries.entry import Entry, fact_of
from daybook_contracts.entries.identity import Identity
from daybook_projector.partition.batch_rows import audit_rows, key_inserts, net_changes
from daybook_projector.partition.machine import Batch
from daybook_projector.projections.fold import folds
from support.recounted import ACTIVITY
from support.simulated_postgres import Stored, taken_ids

REDACTED, UNREADABLE = "3", "4"
"""If a command's id ends with REDACTED, its projected entries are redacted; with UNREADABLE, they cannot be read."""


class Postgres:
    """`users` are the identity provider's users, and `pinned` those of them that it can no longer delete. `frozen` are
    the orgs in quarantine. `owners` maps each chosen id to the first org that used it.
    """

    def __init__(self, partitions: int, users: frozenset[str], *, managed_users: bool) -> None:
        self.partitions, self.managed_users, self.users = partitions, managed_users, users
        self.stored, self.folds = Stored(), folds(managed_users=managed_users)
        self.frozen, self.pinned, self.owners = set[str | None](), set[str](), dict[str, str]()

    def snapshot(self, at: int, needs: Needs, database_us: int) -> Snapshot:
        registered = frozenset(str(key[0]) for key in self.stored.rows.rows["auth.users"])
        orgs = self.stored.orgs_needed(needs).items()
        return Snapshot(
            checkpoint=self.stored.checkpoint(at),
            database_us=database_us,
            entries=self._entries(needs.identities),
            orgs={org_id: replace(org, quarantined=org_id in self.frozen) for org_id, org in orgs},
            known_users=registered if self.managed_users else self.users,
            taken_ids=taken_ids(needs.chosen_ids, self.owners),
            pinned_users=frozenset(self.pinned),
            next_offsets={each: self.stored.checkpoint(each).next_offset for each in range(self.partitions)},
        )

    def _entries(self, identities: Iterable[Identity]) -> dict[Identity, Entry | None]:
        found = self.stored.entries_of_commands(identities)
        return {identity: entry and _as_stored(entry) for identity, entry in found.items()}

    def pin(self, user_ids: frozenset[str], gone: frozenset[str]) -> None:
        self.pinned |= user_ids - gone
        self.users -= gone

    def post(self, batch: Batch) -> None:
        """Writes rows, `audit_log` and checkpoint. A poison entry puts its org into quarantine for good."""
        stored = self.stored
        self.frozen |= {entry.org_id for entry in batch.entries if entry.poison is not None}
        for stretch in net_changes(self.folds, batch.entries, self.frozen):
            stored.rows.apply(stretch)
        for insert in key_inserts(entry for entry in batch.entries if entry.org_id in self.frozen):
            if insert.key not in stored.rows.rows[insert.table.name]:
                stored.rows.apply([insert])
        for entry, row in zip(batch.entries, audit_rows(batch.entries), strict=True):
            assert row[0] is not None
            assert row[0] not in stored.audit_log
            stored.audit_log[row[0]] = row
            if isinstance(entry.columns, Entry):
                self._follow(entry.columns)
        stored.checkpoints[batch.partition] = batch.after

    def _follow(self, entry: Entry) -> None:
        """Keeps the entry, and the org's state after it; shards read both."""
        self.stored.entries[entry.id] = entry
        if entry.org_id is not None and entry.result == "success":
            before = self.stored.orgs.get(entry.org_id)
            self.stored.orgs[entry.org_id] = evolve(before, entry.actor_user_id, fact_of(entry))

    def tables(self) -> dict[str, list[str]]:
        """The rows of each table as JSON, sorted, without activities, which are counted from other tables."""
        rows: dict[str, list[Any]] = {name: [*table.values()] for name, table in self.stored.rows.rows.items()}
        del rows[ACTIVITY]
        rows["public.audit_log"] = [*self.stored.audit_log.values()]
        rows["daybook.checkpoints"] = [
            [at, each.next_offset, each.head.position, each.head.hash, each.head_offset]
            for at, each in self.stored.checkpoints.items()
        ]
        return {name: sorted(json.dumps(row, sort_keys=True) for row in found) for name, found in rows.items()}


def _as_stored(entry: Entry) -> Entry | None:
    metadata = entry.metadata_json
    if metadata.command_id.endswith(UNREADABLE):
        return None
    if metadata.command_id.endswith(REDACTED):
        return structs.replace(entry, metadata_json=structs.replace(metadata, salt=None, data=Raw(b"null")))
    return entry
