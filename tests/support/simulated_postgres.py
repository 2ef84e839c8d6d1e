"""The simulated PostgreSQL: its stored state, a shard's snapshot of it, and a projector's transaction. A `Stored` that
is in use never changes, so a reference to it is a snapshot.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from immutables import Map
from msgspec import structs

from daybook_command.domain.activity import Activity
from daybook_command.domain.connections import Connection
from daybook_command.domain.evolve import evolve
from daybook_command.domain.state import Org
from daybook_command.shard.events import OverdueRun
from daybook_command.shard.snapshot import LoadedOrg, Needs, Snapshot
from daybook_contracts.entries.entry import Entry, fact_of, identity_of
from daybook_contracts.entries.identity import Identity
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint
from daybook_contracts.routing import partition_of
from daybook_projector.partition.batch_rows import audit_rows, key_inserts, net_changes
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.partition.machine import Batch
from daybook_projector.postgres.checkpoints import CheckpointLost
from daybook_projector.projections.audit_log import AuditRow
from daybook_projector.projections.changes import FoldError, Value
from daybook_projector.projections.fold import TABLES, folds
from support.recounted import ACTIVITY, ACTIVITY_COLUMNS
from support.row_tables import RowTables
from support.rows_of_orgs import loaded_org
from support.tables import COLUMNS, Tables

FOLDS = folds(managed_users=True)


@dataclass(slots=True)
class Stored:
    """The projector writes `rows` and `audit_log`. `entries` and `orgs` are what a shard would read from these rows,
    except activities, which it reads from `rows`. The keys of `audit_log` and `entries` are the rows' ids, which may be
    second ids. `quarantine`: for each org that is or was in quarantine, its generation, and whether it is in
    quarantine now.
    """

    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)
    rows: RowTables = field(default_factory=lambda: RowTables(TABLES))
    audit_log: dict[str, AuditRow] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    orgs: dict[str, Org | None] = field(default_factory=dict)
    quarantine: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def copy(self) -> "Stored":
        rows = RowTables(TABLES)
        rows.rows = {name: dict(table) for name, table in self.rows.rows.items()}
        return replace(
            self,
            checkpoints=dict(self.checkpoints),
            rows=rows,
            audit_log=dict(self.audit_log),
            entries=dict(self.entries),
            orgs=dict(self.orgs),
            quarantine=dict(self.quarantine),
        )

    def checkpoint(self, partition: int) -> Checkpoint:
        return self.checkpoints.get(partition, NOTHING_PROJECTED)

    def entries_of_commands(self, firsts: Iterable[Identity]) -> dict[Identity, Entry | None]:
        """All entries of the commands whose first entries are `firsts`. A command's entries are projected together."""
        found: dict[Identity, Entry | None] = {}
        for first in firsts:
            entry = self._entry_of(first)
            if entry is not None:
                others = map(first.at, range(1, entry.metadata_json.entries))
                found |= {first: entry} | {other: each for other in others if (each := self._entry_of(other))}
        return found

    def _entry_of(self, identity: Identity) -> Entry | None:
        """The entry under its first id or, if another entry's row has that id, under its second id."""
        for id_ in (identity.first_id(), identity.second_id()):
            entry = self.entries.get(id_)
            if entry is None or is_entry_of(identity, entry):
                return entry
        return None

    def generation(self, org_id: str) -> int:
        return self.quarantine.get(org_id, (0, False))[0]

    def is_quarantined(self, org_id: str | None) -> bool:
        return org_id is not None and self.quarantine.get(org_id, (0, False))[1]

    def orgs_needed(self, needs: Needs) -> dict[str, LoadedOrg]:
        found = {}
        for need in needs.orgs:
            loaded = loaded_org(self._whole_org(need.org_id), need, self.generation(need.org_id))
            found[need.org_id] = structs.replace(loaded, quarantined=self.is_quarantined(need.org_id))
        return found

    def _whole_org(self, org_id: str) -> Org | None:
        """The org with the activities that the projected rows give. A connection without a row has none."""
        org = self.orgs.get(org_id)
        if org is None:
            return None
        connections = {
            id_: structs.replace(each, activity=self._activity(id_, each)) for id_, each in org.connections.items()
        }
        return structs.replace(org, connections=Map(connections))

    def _activity(self, connection_id: str, connection: Connection) -> Activity | None:
        row = self.rows.rows[ACTIVITY].get((connection_id,))
        if row is None or connection.activity is None:
            return None
        running, failures, pending = (row[name] for name in ("running_run_id", "failed_in_a_row", "pending"))
        return Activity(connection.activity.config, running, failures, pending)  # type: ignore[arg-type]  # by column

    def tables(self) -> Tables:
        """The tables in the form that `read_tables` returns. There are no users, because none are registered."""
        rows = {
            name: {
                tuple(str(row[column]) for column in key): tuple(_value(row[column], column) for column in others)
                for row in self.rows.rows.get(name if "." in name else f"public.{name}", {}).values()
            }
            for name, (key, others) in (COLUMNS | {ACTIVITY: ACTIVITY_COLUMNS}).items()
        }
        rows["audit_log"] = {
            (id_,): tuple(map(_value, row[1:], COLUMNS["audit_log"][1])) for id_, row in self.audit_log.items()
        }
        return rows

    def running(self, partition: int, partitions: int) -> list[OverdueRun]:
        """The running syncs of the partition's orgs, all as overdue."""
        return [
            OverdueRun(org_id, run_id)
            for org_id, org in self.orgs.items()
            if org is not None and partition_of(org_id, partitions) == partition
            if not self.is_quarantined(org_id)
            for run_id, run in org.runs.items()
            if run.status == "running"
        ]


Statement = Callable[[Stored, Batch], None]
Transaction = tuple[Statement, ...]


@dataclass(slots=True)
class Postgres:
    """`past`: all earlier states, which serve as backups. `owners`: for each chosen id, the org that has it; unlike a
    real restore, a simulated one loses no reservation.
    """

    now: Stored = field(default_factory=Stored)
    past: list[Stored] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)

    def run(self, transaction: Transaction, batch: Batch) -> None:
        """Runs all statements or none. Raises `CheckpointLost`, and `FoldError` if rows contradict each other."""
        after = self.now.copy()
        for statement in transaction:
            statement(after, batch)
        self.commit(after)

    def commit(self, after: Stored) -> None:
        self.past.append(self.now)
        self.now = after

    def snapshot(self, moment: Stored, partition: int, needs: Needs, users: frozenset[str], now_us: int) -> Snapshot:
        """Everything that the shard needs, all from the same moment (docs/log.md, rule 1)."""
        return Snapshot(
            checkpoint=moment.checkpoint(partition),
            database_us=now_us,
            entries=moment.entries_of_commands(needs.identities),
            orgs=moment.orgs_needed(needs),
            known_users=users,
            taken_ids=taken_ids(needs.chosen_ids, self.owners),
            next_offsets={each: checkpoint.next_offset for each, checkpoint in moment.checkpoints.items()},
        )


def taken_ids(chosen: Iterable[tuple[str, str, str]], owners: dict[str, str]) -> frozenset[tuple[str, str]]:
    """The chosen ids that belong to another org. As in PostgreSQL, an id belongs to the first org that asks for it;
    within one look-up, to the org with the smallest id.
    """
    asked = [(org_id, chosen_id) for _, chosen_id, org_id in chosen]
    for org_id, chosen_id in sorted(asked):
        owners.setdefault(chosen_id, org_id)
    return frozenset(pair for pair in asked if owners[pair[1]] != pair[0])


def move_checkpoint(stored: Stored, batch: Batch) -> None:
    if not is_unmoved(stored, batch):
        raise CheckpointLost(f"partition {batch.partition} is no longer at offset {batch.before.next_offset}")
    stored.checkpoints[batch.partition] = batch.after


def is_entry_of(identity: Identity, entry: Entry) -> bool:
    """Whether a row that was found by its id belongs to this identity. Another entry may have the same id."""
    return identity_of(entry) == identity


def is_unmoved(stored: Stored, batch: Batch) -> bool:
    """Whether the checkpoint is still where the batch begins: the comparison of the compare-and-set."""
    return stored.checkpoint(batch.partition) == batch.before


def post(stored: Stored, batch: Batch) -> None:
    """Writes the rows, with the projector's own folds, and the rows of `audit_log`, each under a unique id. For an org
    in quarantine, writes `audit_log`, and inserts only missing rows of the org itself and its projects.
    """
    frozen = frozenset(org_id for org_id, (_, active) in stored.quarantine.items() if active)
    for stretch in net_changes(FOLDS, batch.entries, frozen):
        stored.rows.apply(stretch)
    for insert in key_inserts(entry for entry in batch.entries if entry.org_id in frozen):
        if insert.key not in stored.rows.rows[insert.table.name]:
            stored.rows.apply([insert])
    for entry, row in zip(batch.entries, audit_rows(batch.entries), strict=True):
        _follow(stored, entry, _insert(stored, entry, row))


def _insert(stored: Stored, entry: PartitionEntry, row: AuditRow) -> str:
    """Inserts the row of `audit_log`; returns its id, the first or the second one (docs/log.md, rule 19)."""
    columns = entry.columns
    assert isinstance(columns, Entry), entry.poison
    for id_ in (columns.id, identity_of(columns).second_id()):
        if id_ not in stored.audit_log:
            stored.audit_log[id_] = row
            return id_
    raise FoldError(f"audit_log has {columns.id} already, and its second id")


def _follow(stored: Stored, entry: PartitionEntry, id_: str) -> None:
    """Updates `entries` and `orgs`, which a shard would read from the same rows."""
    columns = entry.columns
    assert isinstance(columns, Entry), entry.poison
    stored.entries[id_] = columns
    if columns.org_id is not None and columns.result == "success" and not stored.is_quarantined(columns.org_id):
        before = stored.orgs.get(columns.org_id)
        stored.orgs[columns.org_id] = evolve(before, columns.actor_user_id, fact_of(columns))


def _value(cell: Value, column: str) -> Any:
    return json.loads(cell) if column.endswith("_json") and isinstance(cell, str) else cell


ONE_TRANSACTION: tuple[Transaction, ...] = ((move_checkpoint, post),)
"""The transactions of a batch: one, which writes rows, `audit_log` and checkpoint together (docs/log.md, rule 11)."""
