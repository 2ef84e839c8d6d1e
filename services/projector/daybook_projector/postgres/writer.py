"""Writes batches in one transaction: compares and moves the checkpoints, writes the rows and `audit_log`. If a batch
cannot be written whole, writes it org by org, in a transaction of its own.
"""

from collections.abc import Sequence

from daybook_contracts.log.head import Checkpoint
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.failpoints import failpoint
from daybook_infra.runtime.postgres.checkpoints import load_checkpoint
from daybook_infra.runtime.postgres.connections import Connection, Pool, translated
from daybook_projector.partition.batch_rows import Poison, key_inserts, net_changes
from daybook_projector.partition.machine import Batch
from daybook_projector.partition.missing_users import required_users
from daybook_projector.postgres.checkpoints import move_checkpoint, move_free_checkpoints
from daybook_projector.postgres.kept_entries import keep_entries
from daybook_projector.postgres.org_writer import quarantined_orgs, write_by_org
from daybook_projector.postgres.row_writer import (
    CASCADE_SECONDS,
    CONTENTION,
    Conflicts,
    Contended,
    IdTaken,
    write_changes,
    write_missing,
)
from daybook_projector.postgres.users import UsersLost, absent_users
from daybook_projector.projections.changes import FoldError
from daybook_projector.projections.fold import Folds

# The second attempt nearly always succeeds: the other transaction has ended by then, and taken ids are looked up.
ATTEMPTS = 10


class Writer:
    def __init__(self, pool: Pool, folds: Folds) -> None:
        self._pool = pool
        self._folds = folds

    async def checkpoint(self, partition: int) -> Checkpoint:
        """Raises `DatabaseAway`."""
        with translated():
            return await load_checkpoint(self._pool, partition)

    async def write(self, batch: Batch) -> list[Poison]:
        """Returns the poison entries that put their orgs into quarantine. Raises `CheckpointLost`, `UsersLost`,
        `PartitionStopped` and `DatabaseAway`. After `DatabaseAway` the batch may have been written: the checkpoint
        shows whether it was.
        """
        with translated():
            async with self._pool.acquire() as connection:
                conflicts: Conflicts = frozenset()
                for _ in range(ATTEMPTS):
                    try:
                        return await self._attempt(connection, batch, conflicts)
                    except CONTENTION as error:
                        conflicts |= {type(error)}
        names = ", ".join(sorted(kind.__name__ for kind in conflicts))
        raise DatabaseAway(f"partition {batch.partition} keeps conflicting with rows that others are writing ({names})")

    async def write_together(self, batches: Sequence[Batch]) -> frozenset[int]:
        """Writes batches of different partitions in one transaction. Returns the partitions whose batches it has
        written: none if a row of any batch cannot be written. Leaves out batches whose checkpoint is lost or locked.
        Raises `DatabaseAway`, after which all of them may have been written.
        """
        with translated():
            async with self._pool.acquire() as connection:
                try:
                    return await self._write_free(connection, batches)
                except (FoldError, *CONTENTION):
                    return frozenset()

    async def _write_free(self, connection: Connection, batches: Sequence[Batch]) -> frozenset[int]:
        async with connection.transaction():
            moved = await move_free_checkpoints(connection, batches)
            free = [batch for batch in batches if batch.partition in moved]
            await self._write_rows(connection, free, cascade_seconds=None)
        return moved

    async def _attempt(self, connection: Connection, batch: Batch, conflicts: Conflicts) -> list[Poison]:
        """Raises the errors in `CONTENTION`."""
        try:
            await self._write_whole(connection, batch, conflicts)
        except FoldError as error:
            if isinstance(error, Contended) and Contended not in conflicts:
                raise
            await _require_users(connection, batch)
            return await self._write_by_org(connection, batch, conflicts)
        return []

    async def _write_whole(self, connection: Connection, batch: Batch, conflicts: Conflicts = frozenset()) -> None:
        async with connection.transaction():
            await move_checkpoint(connection, batch.partition, batch.before, batch.after)
            await self._write_rows(connection, [batch], conflicts)

    async def _write_rows(
        self,
        connection: Connection,
        batches: Sequence[Batch],
        conflicts: Conflicts = frozenset(),
        cascade_seconds: float | None = CASCADE_SECONDS,
    ) -> None:
        entries = [entry for batch in batches for entry in batch.entries]
        if not entries:
            return
        failpoint("before-rows")
        quarantined = await quarantined_orgs(connection, entries)
        changes = net_changes(self._folds, entries, quarantined)
        await write_changes(connection, changes, cascade_seconds=cascade_seconds)
        if quarantined:
            await write_missing(connection, key_inserts(entry for entry in entries if entry.org_id in quarantined))
        await keep_entries(connection, batches, look_up_ids=IdTaken in conflicts)
        failpoint("after-rows")

    async def _write_by_org(self, connection: Connection, batch: Batch, conflicts: Conflicts) -> list[Poison]:
        async with connection.transaction():
            await move_checkpoint(connection, batch.partition, batch.before, batch.after)
            quarantined = await quarantined_orgs(connection, batch.entries)
            return await write_by_org(connection, self._folds, batch, quarantined, conflicts)


async def _require_users(connection: Connection, batch: Batch) -> None:
    """Raises `UsersLost` if a user whom the batch names has no row any more: that is not the entry's fault."""
    lost = await absent_users(connection, required_users(batch.entries).keys())
    if lost:
        raise UsersLost(f"users of partition {batch.partition} were lost after they had been found: {sorted(lost)}")
