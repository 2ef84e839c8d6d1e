"""Writes one batch in one transaction: compares and moves the checkpoint, writes rows and `audit_log`.
A batch that cannot be written whole is written org by org instead.
"""

from daybook_contracts.log.head import Checkpoint
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.failpoints import failpoint
from daybook_infra.runtime.postgres.checkpoints import load_checkpoint
from daybook_infra.runtime.postgres.connections import Connection, Pool, translated
from daybook_projector.partition.batch_rows import Poison, key_inserts, net_changes
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.partition.machine import Batch
from daybook_projector.postgres.checkpoints import move_checkpoint
from daybook_projector.postgres.kept_entries import keep_entries
from daybook_projector.postgres.org_writer import quarantined_orgs, write_by_org
from daybook_projector.postgres.row_writer import CONTENTION, Contended, IdTaken, Met, write_changes, write_missing
from daybook_projector.projections.changes import FoldError
from daybook_projector.projections.fold import Folds

# Each failure means that another projector committed conflicting rows, so the second attempt nearly always succeeds.
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
        """Return what was newly quarantined. Raises `CheckpointLost`, `PartitionStopped` and `DatabaseAway`. After the
        last one the batch may have been written; the checkpoint tells.
        """
        with translated():
            async with self._pool.acquire() as connection:
                met: Met = frozenset()
                for _ in range(ATTEMPTS):
                    try:
                        return await self._attempt(connection, batch, met)
                    except CONTENTION as error:
                        met |= {type(error)}
        names = ", ".join(sorted(kind.__name__ for kind in met))
        raise DatabaseAway(f"partition {batch.partition} keeps conflicting with rows that others are writing ({names})")

    async def _attempt(self, connection: Connection, batch: Batch, met: Met) -> list[Poison]:
        """Raises the errors in `CONTENTION`."""
        try:
            await self._write_whole(connection, batch, met)
        except FoldError as error:
            if isinstance(error, Contended) and Contended not in met:
                raise
            return await self._write_by_org(connection, batch, met)
        return []

    async def _write_whole(self, connection: Connection, batch: Batch, met: Met = frozenset()) -> None:
        async with connection.transaction():
            await move_checkpoint(connection, batch.partition, batch.before, batch.after)
            if batch.entries:
                failpoint("before-rows")
                await self._write_rows(connection, batch, await quarantined_orgs(connection, batch.entries), met)
                failpoint("after-rows")

    async def _write_rows(
        self, connection: Connection, batch: Batch, quarantined: frozenset[str | None], met: Met
    ) -> None:
        await write_changes(connection, net_changes(self._folds, batch.entries, quarantined))
        if quarantined:
            await write_missing(connection, key_inserts(_entries_of(batch, quarantined)))
        await keep_entries(connection, batch, look_up_ids=IdTaken in met)

    async def _write_by_org(self, connection: Connection, batch: Batch, met: Met) -> list[Poison]:
        async with connection.transaction():
            await move_checkpoint(connection, batch.partition, batch.before, batch.after)
            quarantined = await quarantined_orgs(connection, batch.entries)
            return await write_by_org(connection, self._folds, batch, quarantined, met)


def _entries_of(batch: Batch, org_ids: frozenset[str | None]) -> list[PartitionEntry]:
    return [entry for entry in batch.entries if entry.org_id in org_ids]
