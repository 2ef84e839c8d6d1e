"""What tests use instead of servers passes the suites that the servers pass (tests/adapters/test_servers.py)."""

import pytest

from daybook_command.shard.snapshot import Needs, Snapshot
from daybook_projector.partition.machine import Batch
from daybook_projector.projections.changes import Change, Table, net_effect
from daybook_projector.projections.write_phases import write_phases
from suites.database import BacklogsContract, Database, LookUpsContract, WritesContract
from suites.rows import TABLES, Rows, RowsContract
from support.row_tables import RowTables
from support.simulated_postgres import ONE_TRANSACTION, Postgres
from support.surroundings import START_US
from support.tables import Tables


class SimulatedDatabase(Database):
    def __init__(self) -> None:
        super().__init__()
        self.postgres = Postgres()

    async def write(self, batch: Batch) -> None:
        for transaction in ONE_TRANSACTION:
            self.postgres.run(transaction, batch)

    async def look_up(self, needs: Needs, partition: int = 0) -> Snapshot:
        now = self.postgres.now
        users = frozenset(id_ for (id_,) in now.tables()["auth.users"])
        return self.postgres.snapshot(now, partition, needs, users, START_US)

    async def tables(self) -> Tables:
        return self.postgres.now.tables()


class TestSimulatedPostgres(WritesContract, LookUpsContract, BacklogsContract):
    @pytest.fixture
    def database(self) -> Database:
        return SimulatedDatabase()


class RowsInMemory(Rows):
    def __init__(self) -> None:
        self._tables = RowTables(TABLES)

    async def write(self, *changes: Change) -> None:
        for phase in write_phases((None, change) for change in changes):
            self._tables.apply(net_effect(phase))

    async def read(self, table: Table) -> list[tuple[object, ...]]:
        rows = self._tables.rows[table.name]
        return [tuple(rows[key].values()) for key in sorted(rows)]


class TestRowTables(RowsContract):
    @pytest.fixture
    def rows(self) -> Rows:
        return RowsInMemory()
