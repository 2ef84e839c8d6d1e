"""Backs up, restores and loses a database while services run. Each of these locks out all clients for a moment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Servers
from support.sql import open_connection

ENDED = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1"


async def copy(settings: Settings, servers: Servers) -> None:
    async with _alone(settings, servers) as (connection, name):
        await connection.execute(f'CREATE DATABASE "{name}_old" TEMPLATE "{name}"')
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


async def put_back(settings: Settings, servers: Servers) -> None:
    """Replaces the database with its copy. Changes after the copy are lost."""
    async with _alone(settings, servers) as (connection, name):
        await connection.execute(f'DROP DATABASE "{name}"')
        await connection.execute(f'ALTER DATABASE "{name}_old" RENAME TO "{name}"')


async def lose(settings: Settings, servers: Servers) -> None:
    """Replaces the database with an empty one."""
    async with _alone(settings, servers) as (connection, name):
        await connection.execute(f'DROP DATABASE "{name}"')
        await connection.execute(f'CREATE DATABASE "{name}"')


@asynccontextmanager
async def _alone(settings: Settings, servers: Servers) -> AsyncIterator[tuple[Connection, str]]:
    """Yields a connection to the server, and the name of the settings' database, which refuses connections from
    then on.
    """
    name = urlsplit(settings.database_url.get_secret_value()).path.removeprefix("/")
    async with open_connection(servers.database_url) as connection:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await connection.execute(ENDED, name)
        yield connection, name
