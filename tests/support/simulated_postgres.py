"""PostgreSQL as plain state: what is stored, what a shard reads of it, and what a projector's transaction does.
A stored state never changes, so a reference to one is a snapshot.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from daybook_command.domain.evolve import evolve
from daybook_command.domain.state import Org
from daybook_command.shard.events import OverdueRun
from daybook_command.shard.snapshot import LoadedOrg, Needs, Snapshot
from daybook_contracts.entries.entry import Entry, fact_of, identity_of
from daybook_contracts.entries.identity import Identity
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint
from daybook_contracts.routing import partition_of
from daybook_projector.partition.batch_rows import NO_ORGS, audit_rows, net_changes
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.partition.machine import Batch
from daybook_projector.postgres.checkpoints import CheckpointLost
from daybook_projector.projections.audit_log import AuditRow
from daybook_projector.projections.changes import FoldError, Value
from daybook_projector.projections.fold import TABLES, folds
from support.row_tables import RowTables
from support.rows_of_orgs import loaded_org
from support.tables import COLUMNS, Tables

FOLDS = folds(managed_users=True)


@dataclass(slots=True)
class Stored:
    """`rows` and `audit_log` as the projector writes them; `entries` and `orgs` are what a shard would read of them.
    `audit_log` and `entries` are by the id that the row bears.
    """

    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)
    rows: RowTables = field(default_factory=lambda: RowTables(TABLES))
    audit_log: dict[str, AuditRow] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    orgs: dict[str, Org | None] = field(default_factory=dict)

    def copy(self) -> "Stored":
        rows = RowTables(TABLES)
        rows.rows = {name: dict(table) for name, table in self.rows.rows.items()}
        return Stored(dict(self.checkpoints), rows, dict(self.audit_log), dict(self.entries), dict(self.orgs))

    def checkpoint(self, partition: int) -> Checkpoint:
        return self.checkpoints.get(partition, NOTHING_PROJECTED)

    def entries_of_commands(self, firsts: Iterable[Identity]) -> dict[Identity, Entry | None]:
        """Includes the entries after the first: a command's entries are projected together."""
        found: dict[Identity, Entry | None] = {}
        for first in firsts:
            entry = self._entry_of(first)
            if entry is not None:
                others = map(first.at, range(1, entry.metadata_json.entries))
                found |= {first: entry} | {other: each for other in others if (each := self._entry_of(other))}
        return found

    def _entry_of(self, identity: Identity) -> Entry | None:
        """Under its first id or, where another entry's row has that, under its second id."""
        for id_ in (identity.first_id(), identity.second_id()):
            entry = self.entries.get(id_)
            if entry is None or is_entry_of(identity, entry):
                return entry
        return None

    def orgs_needed(self, needs: Needs) -> dict[str, LoadedOrg]:
        return {need.org_id: loaded_org(self.orgs.get(need.org_id), need) for need in needs.orgs}

    def tables(self) -> Tables:
        """In the shape in which tests read PostgreSQL's tables; without users, because nobody registers."""
        rows = {
            name: {
                tuple(str(row[column]) for column in key): tuple(_value(row[column], column) for column in others)
                for row in self.rows.rows.get(name if "." in name else f"public.{name}", {}).values()
            }
            for name, (key, others) in COLUMNS.items()
        }
        rows["audit_log"] = {
            (id_,): tuple(map(_value, row[1:], COLUMNS["audit_log"][1])) for id_, row in self.audit_log.items()
        }
        return rows

    def running(self, partition: int, partitions: int) -> list[OverdueRun]:
        """Runs of the partition's orgs. All of them are taken for overdue."""
        return [
            OverdueRun(org_id, run_id)
            for org_id, org in self.orgs.items()
            if org is not None and partition_of(org_id, partitions) == partition
            for run_id, run in org.runs.items()
            if run.status == "running"
        ]


Statement = Callable[[Stored, Batch], None]
Transaction = tuple[Statement, ...]


@dataclass(slots=True)
class Postgres:
    """`past`: every state that ever was stored, as backups have them. `owners`: whose each chosen id is; here a restore
    loses no reservation.
    """

    now: Stored = field(default_factory=Stored)
    past: list[Stored] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)

    def run(self, transaction: Transaction, batch: Batch) -> None:
        """Runs all statements or none. Raises `CheckpointLost`, and `FoldError` if rows contradict each other."""
        after = self.now.copy()
        for statement in transaction:
            statement(after, batch)
        self.past.append(self.now)
        self.now = after

    def snapshot(self, moment: Stored, partition: int, needs: Needs, users: frozenset[str], now_us: int) -> Snapshot:
        """Everything asked for, as of that moment (docs/log.md, rule 1)."""
        return Snapshot(
            checkpoint=moment.checkpoint(partition),
            database_us=now_us,
            entries=moment.entries_of_commands(needs.identities),
            orgs=moment.orgs_needed(needs),
            known_users=users,
            taken_ids=taken(needs.chosen_ids, self.owners),
            next_offsets={each: checkpoint.next_offset for each, checkpoint in moment.checkpoints.items()},
        )


def taken(chosen: Iterable[tuple[str, str, str]], owners: dict[str, str]) -> frozenset[tuple[str, str]]:
    """A chosen id belongs to the first org that asks for it, as in PostgreSQL; in id order within one look-up."""
    asked = [(org_id, chosen_id) for _, chosen_id, org_id in chosen]
    for org_id, chosen_id in sorted(asked):
        owners.setdefault(chosen_id, org_id)
    return frozenset(pair for pair in asked if owners[pair[1]] != pair[0])


def move_checkpoint(stored: Stored, batch: Batch) -> None:
    if not is_unmoved(stored, batch):
        raise CheckpointLost(f"partition {batch.partition} is no longer at offset {batch.before.next_offset}")
    stored.checkpoints[batch.partition] = batch.after


def is_entry_of(identity: Identity, entry: Entry) -> bool:
    """The comparison of a look-up: a row with the id may belong to another entry."""
    return identity_of(entry) == identity


def is_unmoved(stored: Stored, batch: Batch) -> bool:
    """The comparison of compare-and-set."""
    return stored.checkpoint(batch.partition) == batch.before


def post(stored: Stored, batch: Batch) -> None:
    """Writes rows by the projector's own folds, and rows of `audit_log`, whose keys are unique."""
    for stretch in net_changes(FOLDS, batch.entries, NO_ORGS):
        stored.rows.apply(stretch)
    for entry, row in zip(batch.entries, audit_rows(batch.entries), strict=True):
        _follow(stored, entry, _insert(stored, entry, row))


def _insert(stored: Stored, entry: PartitionEntry, row: AuditRow) -> str:
    """The id that the row bears (docs/log.md, rule 19)."""
    columns = entry.columns
    assert isinstance(columns, Entry), entry.poison
    for id_ in (columns.id, identity_of(columns).second_id()):
        if id_ not in stored.audit_log:
            stored.audit_log[id_] = row
            return id_
    raise FoldError(f"audit_log has {columns.id} already, and its second id")


def _follow(stored: Stored, entry: PartitionEntry, id_: str) -> None:
    """Updates what a shard reads from the same rows."""
    columns = entry.columns
    assert isinstance(columns, Entry), entry.poison
    stored.entries[id_] = columns
    if columns.org_id is not None and columns.result == "success":
        before = stored.orgs.get(columns.org_id)
        stored.orgs[columns.org_id] = evolve(before, columns.actor_user_id, fact_of(columns))


def _value(cell: Value, column: str) -> Any:
    return json.loads(cell) if column.endswith("_json") and isinstance(cell, str) else cell


ONE_TRANSACTION: tuple[Transaction, ...] = ((move_checkpoint, post),)
"""A batch's transactions, one after another: rows, `audit_log` and checkpoint stand in one (docs/log.md, rule 11)."""
