"""Rows that may be large are fetched in pieces: PostgreSQL makes few rows that the page has no room for."""

import pytest

from daybook_infra.runtime.postgres.connections import Pool
from daybook_projector.read_api.database import FIRST_ROWS, ReadSnapshot
from daybook_projector.read_api.page_sql import Statement

MOST_BYTES = 10_000
SHARED_DATABASE = True


@pytest.mark.parametrize(
    ("size", "kept", "made"),
    [
        pytest.param(MOST_BYTES, 1, FIRST_ROWS, id="one fits"),
        pytest.param(MOST_BYTES // 20, 20, 20 + 1, id="some fit"),
        pytest.param(10, 100, 100, id="all fit"),
    ],
)
async def test_few_rows_are_made_that_do_not_fit(pool: Pool, size: int, kept: int, made: int) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("CREATE TEMPORARY SEQUENCE made")
        rows = Statement("SELECT nextval('made'), repeat('x', $1) FROM generate_series(1, 100)", [size])
        found, cut = await ReadSnapshot(connection, {}, quarantined=False).fetch_bounded(rows, MOST_BYTES)
        assert (len(found), cut) == (kept, kept < 100)
        assert await connection.fetchval("SELECT last_value FROM made") == made
        await connection.execute("DROP SEQUENCE made")
