"""The stand-ins for servers pass the same contract suites as the servers (in tests/adapters)."""

import random

import pytest

from daybook_client.kafka.command_publisher import CommandToSend, Fate
from daybook_command.shard.events import Acknowledged, AppendUnknown
from daybook_command.shard.records import LogRecord
from daybook_command.shard.snapshot import Needs, Snapshot
from daybook_infra.runtime.errors import DatabaseAway
from daybook_projector.partition.machine import Batch
from daybook_projector.projections.changes import Change, Table, net_effect
from daybook_projector.projections.write_phases import write_phases
from suites.backlogs import BacklogsContract
from suites.database import Database, WritesContract
from suites.door import COMMAND, RENAMED, Broker, DoorTables, DoorTablesContract, PublisherContract
from suites.log import Log, LogContract
from suites.look_ups import LookUpsContract
from suites.rows import TABLES, Rows, RowsContract
from support import simulated_log
from support.door_doubles import ORG, DoorAlone, undecided
from support.row_tables import RowTables
from support.simulated_postgres import ONE_TRANSACTION, Postgres
from support.surroundings import START_US
from support.tables import Tables
from support.weather import CALM


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


class SimulatedLog(Log):
    def __init__(self) -> None:
        self._logs, self._draw = [simulated_log.Log(), simulated_log.Log()], random.Random(1)

    async def append(self, partition: int, *values: bytes, writer: int = 0) -> Acknowledged | AppendUnknown:
        return self._logs[partition].append(values, CALM, self._draw)

    async def read(self, partition: int, start: int, stop: int | None = None) -> list[LogRecord]:
        return self._logs[partition].records(start, stop)


class TestSimulatedLog(LogContract):
    @pytest.fixture
    def log(self) -> Log:
        return SimulatedLog()


class BrokerInMemory(Broker):
    def __init__(self) -> None:
        self.publisher = self._kafka = DoorAlone().kafka
        self._kafka.decide = undecided

    async def taken(self, partition: int, count: int) -> list[CommandToSend]:
        return [record for record in self._kafka.records if record.partition == partition][:count]

    async def go_away(self) -> None:
        self._kafka.fate = Fate.NOTHING_DONE


class TestKafkaOfADoorAlone(PublisherContract):
    @pytest.fixture
    def broker(self) -> Broker:
        return BrokerInMemory()


class DoorTablesInMemory(DoorTables):
    def __init__(self) -> None:
        self._door = door = DoorAlone()
        self.users, self.outcomes = door.users, door.outcomes
        door.users.known.clear()

    async def add_user(self, user_id: str) -> None:
        self._door.users.known.add(user_id)

    async def add_admin(self, user_id: str) -> None:
        self._door.outcomes.roles[ORG, user_id] = "admin"

    async def add_renaming(self) -> None:
        self._door.outcomes.found[ORG, COMMAND] = RENAMED

    async def go_away(self) -> None:
        self._door.outcomes.error = DatabaseAway("PostgreSQL is away")


class TestTablesOfADoorAlone(DoorTablesContract):
    @pytest.fixture
    def tables(self) -> DoorTables:
        return DoorTablesInMemory()
