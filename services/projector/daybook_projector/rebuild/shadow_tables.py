"""Tables beside the live ones, made like them: a schema in, tables with keys out. They are filled without keys, which
is faster, and get them afterwards.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.fold.parents import PARENTS
from daybook_projector.projections.changes import Table

TEMPORARY: Final = "pg_temp"
"""A schema that only its connection sees, and that ends with it."""
PREFIX: Final = "daybook_rebuild"
"""Of the names of other schemas; nothing else may have such a name."""

LEFT_OVER: Final = "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1) ORDER BY nspname"
# Sorting for the keys of a large table, and a temporary table's pages.
MEMORY: Final = "SET maintenance_work_mem = '256MB'; SET work_mem = '64MB'; SET temp_buffers = '64MB'"


class ShadowTables:
    """By live table: its shadow, and the table of the keys whose rows are to be compared, its `keys`."""

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
        """The statements name no value, so their text is all that can go wrong."""
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
        """Parents first. Foreign keys to users are left to the live tables, where users are."""
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
        """CREATE TEMP TABLE takes no schema's name before PostgreSQL looks up the kind."""
        return name.partition(".")[2] if self.schema == TEMPORARY else name


async def drop_left_over(connection: Connection) -> None:
    """Those of runs that were killed; the caller makes sure that no run is alive."""
    for row in await connection.fetch(LEFT_OVER, PREFIX):
        await drop_schema(connection, row[0])


async def drop_schema(connection: Connection, schema: str) -> None:
    await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def _bare(table: Table) -> str:
    return table.name.partition(".")[2]
