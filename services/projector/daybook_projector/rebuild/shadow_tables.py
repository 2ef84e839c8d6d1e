"""Shadow tables: copies of the live tables' definitions in a separate schema, for a rebuild to fill. They get their
keys after they are filled, because filling tables without keys is faster.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.fold.parents import PARENTS
from daybook_projector.audit.replay.schema import REBUILD_PREFIX
from daybook_projector.projections.changes import Table

TEMPORARY: Final = "pg_temp"
"""PostgreSQL's schema for temporary tables. Only one connection sees it, and it disappears with the connection."""

# Matches the names that `new_schema` makes, and no others.
NAMES: Final = f"^{REBUILD_PREFIX}_[0-9a-f]{{8}}$"
LEFT_OVER: Final = "SELECT nspname FROM pg_namespace WHERE nspname ~ $1 ORDER BY nspname"
# For building the keys of large tables, and for the pages of temporary tables.
MEMORY: Final = "SET maintenance_work_mem = '256MB'; SET work_mem = '64MB'; SET temp_buffers = '64MB'"


class ShadowTables:
    """For each live table, its shadow, and a table with the keys of the rows that may differ or do differ (`keys`)."""

    def __init__(self, schema: str, tables: Sequence[Table]) -> None:
        self.schema = schema
        self.tables = tuple(tables)
        self._kind = "TEMP" if schema == TEMPORARY else "UNLOGGED"
        self._shadows: Mapping[Table, Table] = {
            table: replace(table, name=f"{schema}.shadow_{_bare(table)}") for table in tables
        }

    def of(self, table: Table) -> Table:
        return self._shadows[table]

    def keys(self, table: Table) -> str:
        return f"{self.schema}.keys_{_bare(table)}"

    async def create(self, connection: Connection) -> None:
        """Creates the schema and empty tables without keys."""
        await connection.execute(MEMORY)
        if self.schema != TEMPORARY:
            await connection.execute(f"CREATE SCHEMA {self.schema}")
        for table, shadow in self._shadows.items():
            await connection.execute(
                f"CREATE {self._kind} TABLE {self._local(shadow.name)} (LIKE {table.name} INCLUDING CONSTRAINTS)"
            )
            key = ", ".join(f"{column} {table.columns[column]} NOT NULL" for column in table.key)
            await connection.execute(
                f"CREATE {self._kind} TABLE {self._local(self.keys(table))} "
                f"({key}, difference text, columns text[], PRIMARY KEY ({', '.join(table.key)}))"
            )

    async def add_keys(self, connection: Connection) -> None:
        """Adds the keys, parents first. Adds no foreign keys to users: only the live tables have them."""
        for table in self.tables:
            for statement in self._keys_of(table):
                await connection.execute(statement)
        for table in self.tables:
            await connection.execute(f"ANALYZE {self.of(table).name}")

    async def drop(self, connection: Connection) -> None:
        if self.schema != TEMPORARY:
            await drop_schema(connection, self.schema)

    def _keys_of(self, table: Table) -> Iterator[str]:
        name = self.of(table).name
        yield f"ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(table.key)})"
        if table.unique:
            yield f"ALTER TABLE {name} ADD UNIQUE ({', '.join(table.unique)})"
        if table.cascades_from is not None:
            yield f"CREATE INDEX ON {name} ({table.cascades_from[0]})"
        for column, parent in PARENTS.get(table, ()):
            cascade = " ON DELETE CASCADE" if table.cascades_from == (column, parent) else ""
            yield f"ALTER TABLE {name} ADD FOREIGN KEY ({column}) REFERENCES {self.of(parent).name}{cascade}"

    def _local(self, name: str) -> str:
        """The name in CREATE TABLE. For a temporary table it has no schema: PostgreSQL chooses the schema."""
        return name.partition(".")[2] if self.schema == TEMPORARY else name


def new_schema() -> str:
    """A name for the schema of one run. `drop_left_over` drops schemas with such names."""
    return f"{REBUILD_PREFIX}_{secrets.token_hex(4)}"


async def drop_left_over(connection: Connection) -> None:
    """Drops the schemas of runs that were killed. Call it only while no other run is alive."""
    for row in await connection.fetch(LEFT_OVER, NAMES):
        await drop_schema(connection, row[0])


async def drop_schema(connection: Connection, schema: str) -> None:
    await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def _bare(table: Table) -> str:
    return table.name.partition(".")[2]
