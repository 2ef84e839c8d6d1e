"""The database as one caller sees it: read-only transactions with the caller's role and claims, under row-level
security.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.postgres.connections import Connection, OwnConnection, Pool, open_pool, translated
from daybook_infra.runtime.settings import Settings
from daybook_projector.read_api.caller_slots import CallerSlots
from daybook_projector.read_api.page_sql import Statement
from daybook_projector.read_api.reader import Reader

CONNECTIONS: Final = 8
# One caller uses at most this many, so that its slow reads leave connections for others.
CALLER_CONNECTIONS: Final = CONNECTIONS // 2
# How long a request waits for its caller's other requests, and then for a free connection; and how long a statement may
# take.
ACQUIRE_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 5.0
# Rows that may be large are fetched in pieces, until the page is full or has MAX_PAGE_BYTES. The first piece has
# FIRST_ROWS. A later one has as many as fit if they are as large as the largest row so far, but at most PIECE_ROWS. A
# row may have 3 MiB: numbers that are short as JSON, such as 5e-324, are long as PostgreSQL's text. So a piece of large
# rows after small ones may take 190 MiB. PostgreSQL does not tell a row's size in advance, and with pieces of 16 rows a
# page of 500 small ones takes twice as long.
FIRST_ROWS: Final = 8
PIECE_ROWS: Final = 64
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024

SESSION: Final = {
    "row_security": "on",
    "default_transaction_read_only": "on",
    # A generic plan might not use the index that has the page's order.
    "plan_cache_mode": "force_custom_plan",
    # A page needs a few rows, in the order of an index. With misleading statistics, PostgreSQL could choose these scans
    # and sort many rows instead.
    "enable_bitmapscan": "off",
    "enable_seqscan": "off",
}
# The first statement of each transaction: its snapshot serves all later ones. It reads with the service's login role,
# which may read the tables of schema daybook and is not subject to the policies. PostgreSQL checks rights before the
# statement runs, and `set_config` changes the role only while it runs.
BEGIN_READING: Final = """
SELECT set_config('request.jwt.claims', $1, true), set_config('role', $2, true),
    ARRAY(
        SELECT ARRAY[partition, position] FROM daybook.checkpoints WHERE $3::int IS NULL OR partition = $3
    ) AS positions,
    EXISTS (SELECT FROM daybook.quarantine WHERE org_id = $4::uuid AND released_at IS NULL) AS quarantined,
    {keys} AS keys
"""


class _ReadConnection(OwnConnection):
    """Skips the reset of a returned connection, which costs a round trip: all settings end with their transaction."""

    def get_reset_query(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class ReadSnapshot:
    """`positions`: the last projected position of each requested partition. `quarantined`: the org is in quarantine.
    `keys`: the keys of the page's rows, if they were requested.
    """

    connection: Connection
    positions: Mapping[int, int]
    quarantined: bool
    keys: Sequence[str] = ()

    async def fetch(self, statement: Statement) -> list[asyncpg.Record]:
        return await self.connection.fetch(statement.sql, *statement.values)

    async def fetch_bounded(
        self, statement: Statement, most_bytes: int | None = None
    ) -> tuple[list[asyncpg.Record], bool]:
        """The first rows, up to `most_bytes` (by default MAX_PAGE_BYTES) of text but at least one row; and whether rows
        were left out.
        """
        most = MAX_PAGE_BYTES if most_bytes is None else most_bytes
        found: list[asyncpg.Record] = []
        size = largest = 0
        rows = FIRST_ROWS
        cursor = await self.connection.cursor(statement.sql, *statement.values)
        while piece := await cursor.fetch(rows):
            for row in piece:
                of_row = _size(row)
                size, largest = size + of_row, max(largest, of_row)
                if found and size > most:
                    return found, True
                found.append(row)
            if len(piece) < rows:
                break
            rows = min(PIECE_ROWS, max(most - size, 0) // max(largest, 1) + 1)
        return found, False

    async def sees(self, sql: str, *values: Any) -> bool:
        return bool(await self.connection.fetchval(sql, *values))


_NO_TURN: Final = nullcontext()


class ReadDatabase:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._slots = CallerSlots(CALLER_CONNECTIONS, ACQUIRE_SECONDS)

    @asynccontextmanager
    async def snapshot(
        self,
        reader: Reader,
        org_id: str | None = None,
        partition: int | None = None,
        keys: Callable[[Statement], str] | None = None,
        turn: AbstractAsyncContextManager[Any] = _NO_TURN,
    ) -> AsyncIterator[ReadSnapshot]:
        """Reads the position of `partition`, or of all partitions if it is None. `keys` makes SQL for an array of keys;
        no policy restricts this SQL. `turn` is entered after the caller has got a slot, before a connection is taken.
        Raises DatabaseAway, also if no connection becomes free within ACQUIRE_SECONDS, and RequestRefused (429) if the
        caller gets no slot within ACQUIRE_SECONDS.
        """
        begin = Statement(values=[reader.claims, reader.role, partition, org_id])
        begin.sql = BEGIN_READING.format(keys="NULL" if keys is None else keys(begin))
        with translated(), _roles_present():
            async with (
                self._slots.take(str(reader.principal)),
                turn,
                self._acquired() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                begun = await connection.fetchrow(begin.sql, *begin.values)
                assert begun is not None  # noqa: S101 - a SELECT without FROM has one row
                yield ReadSnapshot(connection, dict(begun["positions"]), begun["quarantined"], begun["keys"] or ())

    @asynccontextmanager
    async def own_snapshot(self) -> AsyncIterator[ReadSnapshot]:
        """A snapshot with the service's login role, which sees every row. Raises DatabaseAway."""
        with translated(), _roles_present():
            async with (
                self._acquired() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield ReadSnapshot(connection, {}, quarantined=False)

    async def checkpoints(self, partitions: Sequence[int] | None = None) -> dict[int, int]:
        """The last projected position of each partition, read with the service's login role."""
        with translated():
            async with self._acquired() as connection:
                rows = await connection.fetch(
                    "SELECT partition, position FROM daybook.checkpoints"
                    " WHERE $1::int[] IS NULL OR partition = ANY ($1::int[])",
                    partitions,
                )
        return {row["partition"]: row["position"] for row in rows}

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            yield connection


async def open_read_pool(settings: Settings, application: str, size: int = CONNECTIONS) -> Pool:
    """The pool connects on the first request."""
    return await open_pool(
        settings,
        application,
        min_size=0,
        max_size=size,
        statement_seconds=STATEMENT_SECONDS,
        session=SESSION,
        connection_class=_ReadConnection,
    )


class _roles_present:  # noqa: N801 - a context manager
    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Translates the error that PostgreSQL reports if the caller's role does not exist, or if the service's login
        is not a member of it.
        """
        if isinstance(error, asyncpg.InvalidParameterValueError):
            raise DatabaseAway(f"PostgreSQL refuses the role of a reader: {error}") from error


def _size(row: asyncpg.Record) -> int:
    return sum(len(value) for value in row if isinstance(value, str))
