"""PostgreSQL passes the same contract suites as its stand-ins (tests/unit/support/test_stand_ins.py)."""

import pytest

from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.snapshot import Needs, Snapshot
from daybook_infra.runtime.postgres.connections import Pool
from daybook_projector.partition.machine import Batch
from daybook_projector.postgres.row_writer import write_changes
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.changes import Change, Table, net_effect
from daybook_projector.projections.fold import folds
from daybook_projector.projections.write_phases import write_phases
from suites.backlogs import BacklogsContract
from suites.database import Database, WritesContract
from suites.look_ups import LookUpsContract
from suites.rows import DDL, TABLES, Rows, RowsContract
from support import projecting
from support.tables import Tables

SHARED_DATABASE = True


class RealDatabase(Database):
    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool
        self._writer, self._reader = Writer(pool, folds(managed_users=True)), SnapshotReader(pool)

    async def write(self, batch: Batch) -> None:
        assert await self._writer.write(batch) == []

    async def look_up(self, needs: Needs, partition: int = 0) -> Snapshot:
        return (await self._reader.read({partition: needs}))[partition]

    async def tables(self) -> Tables:
        return await projecting.tables(self._pool)


class TestPostgres(WritesContract, LookUpsContract, BacklogsContract):
    @pytest.fixture
    def database(self, pool: Pool) -> Database:
        return RealDatabase(pool)


class RowsInPostgres(Rows):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def write(self, *changes: Change) -> None:
        phases = map(net_effect, write_phases((None, change) for change in changes))
        async with self._pool.acquire() as connection, connection.transaction():
            await write_changes(connection, phases, TABLES)

    async def read(self, table: Table) -> list[tuple[object, ...]]:
        return [tuple(row) for row in await self._pool.fetch(f"SELECT * FROM {table.name} ORDER BY id")]


class TestPostgresTables(RowsContract):
    @pytest.fixture
    async def rows(self, pool: Pool) -> Rows:
        await pool.execute(f"DROP TABLE IF EXISTS public.parents, public.children, public.labels; {DDL}")
        return RowsInPostgres(pool)
