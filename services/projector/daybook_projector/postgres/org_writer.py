"""Writes a batch org by org, with savepoints, if the batch could not be written whole (docs/log.md, rule 13). Applies
an org's entries before its first poison entry. For the poison entry and later ones, writes only their rows in
`audit_log` and the rows to which those refer, and puts the org into quarantine.
"""

from collections.abc import Sequence

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.partition.batch_rows import NO_ORGS, Poison, group_by_org, key_inserts, net_changes
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.partition.machine import Batch, PartitionStopped
from daybook_projector.postgres.kept_entries import keep_entries
from daybook_projector.postgres.row_writer import Conflicts, Contended, IdTaken, write_changes, write_missing
from daybook_projector.projections.changes import FoldError
from daybook_projector.projections.fold import Folds

QUARANTINED_ORGS = """
SELECT org_id::text FROM daybook.quarantine WHERE released_at IS NULL AND org_id = ANY ($1::uuid[])
"""
# If the org is in quarantine already, its row stays as it is.
ENTER_QUARANTINE = """
INSERT INTO daybook.quarantine AS q (org_id, partition, position, reason) VALUES ($1, $2, $3, $4)
ON CONFLICT (org_id) DO UPDATE
   SET partition = excluded.partition, position = excluded.position, reason = excluded.reason,
       generation = q.generation + 1, quarantined_at = clock_timestamp(), released_at = NULL
 WHERE q.released_at IS NOT NULL
"""


async def quarantined_orgs(connection: Connection, entries: Sequence[PartitionEntry]) -> frozenset[str | None]:
    """The entries' orgs that are in quarantine. Call it while the transaction holds the checkpoint's lock."""
    org_ids = {entry.org_id for entry in entries if entry.org_id is not None}
    if not org_ids:
        return frozenset()
    return frozenset(row[0] for row in await connection.fetch(QUARANTINED_ORGS, list(org_ids)))


async def write_by_org(
    connection: Connection, folds: Folds, batch: Batch, quarantined: frozenset[str | None], conflicts: Conflicts
) -> list[Poison]:
    """Writes the batch's rows, and puts orgs with a poison entry into quarantine. Raises `PartitionStopped` and the
    errors in `CONTENTION`, but `Contended` only if `conflicts` does not contain it.
    """
    poisons = []
    for org_id, entries in group_by_org(batch.entries).items():
        kept = entries
        if org_id not in quarantined:
            applied, reason = await _apply_until_fault(connection, folds, entries, conflicts)
            kept = entries[applied:]
            if kept:
                poisons.append(_poison_of(batch, kept[0], reason))
        await _write_key_rows(connection, batch, kept)
    await _keep_entries(connection, batch, conflicts)
    for poison in poisons:
        await connection.execute(ENTER_QUARANTINE, poison.org_id, batch.partition, poison.position, poison.reason)
    return poisons


async def _apply_until_fault(
    connection: Connection, folds: Folds, entries: Sequence[PartitionEntry], conflicts: Conflicts
) -> tuple[int, str]:
    """How many of an org's entries can be applied, and why the next one cannot."""
    if await _find_fault(connection, folds, entries, conflicts) is not None:
        for index, entry in enumerate(entries):
            fault = await _find_fault(connection, folds, [entry], conflicts)
            if fault is not None:
                return index, str(fault)
    return len(entries), ""


async def _find_fault(
    connection: Connection, folds: Folds, entries: Sequence[PartitionEntry], conflicts: Conflicts
) -> FoldError | None:
    """Why the entries cannot be applied; None if they were."""
    try:
        await _write_changes_of(connection, folds, entries)
    except FoldError as error:
        if isinstance(error, Contended) and Contended not in conflicts:
            raise
        return error
    return None


async def _write_changes_of(connection: Connection, folds: Folds, entries: Sequence[PartitionEntry]) -> None:
    changes = net_changes(folds, entries, NO_ORGS)
    async with connection.transaction():
        await write_changes(connection, changes)


def _poison_of(batch: Batch, entry: PartitionEntry, reason: str) -> Poison:
    if entry.org_id is None:
        raise PartitionStopped(f"entry {_position_text(batch, entry)} has no org and cannot be applied: {reason}")
    return Poison(entry.org_id, entry.head.position, reason)


async def _write_key_rows(connection: Connection, batch: Batch, kept: Sequence[PartitionEntry]) -> None:
    try:
        await write_missing(connection, key_inserts(kept))
    except FoldError as error:
        raise PartitionStopped(f"orgs or projects of {_span_text(batch, kept)} cannot be written: {error}") from error


async def _keep_entries(connection: Connection, batch: Batch, conflicts: Conflicts) -> None:
    try:
        await keep_entries(connection, [batch], look_up_ids=IdTaken in conflicts)
    except FoldError as error:
        raise PartitionStopped(
            f"audit_log rows of {_span_text(batch, batch.entries)} cannot be written: {error}"
        ) from error


def _span_text(batch: Batch, entries: Sequence[PartitionEntry]) -> str:
    return f"entries {_position_text(batch, entries[0])} to {_position_text(batch, entries[-1])}"


def _position_text(batch: Batch, entry: PartitionEntry) -> str:
    return f"{batch.partition}.{entry.head.position}"
