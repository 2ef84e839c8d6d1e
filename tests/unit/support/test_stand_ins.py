"""What tests use instead of servers passes the suites that the servers pass (tests/adapters/test_servers.py)."""

import pytest

from daybook_command.shard.snapshot import Needs, Snapshot
from daybook_projector.partition.machine import Batch
from suites.database import BacklogsContract, Database, LookUpsContract, WritesContract
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
