"""SQL on a database that is named by its URL, on a connection of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from daybook_infra.runtime.postgres.connections import OwnConnection


@asynccontextmanager
async def connected_to(url: str) -> AsyncIterator[OwnConnection]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


async def run(url: str, statements: str) -> None:
    async with connected_to(url) as connection:
        await connection.execute(statements, timeout=30)


async def ask(url: str, statement: str) -> Any:
    """The first value that the statement returns."""
    async with connected_to(url) as connection:
        return await connection.fetchval(statement, timeout=30)
