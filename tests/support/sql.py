"""Runs SQL on the database at a URL, on a new connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from daybook_infra.runtime.postgres.connections import OwnConnection


@asynccontextmanager
async def open_connection(url: str) -> AsyncIterator[OwnConnection]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


async def run(url: str, statements: str) -> None:
    async with open_connection(url) as connection:
        await connection.execute(statements, timeout=30)


async def ask(url: str, statement: str) -> Any:
    """Returns the statement's first value."""
    async with open_connection(url) as connection:
        return await connection.fetchval(statement, timeout=30)
