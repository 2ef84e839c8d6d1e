"""Opens PostgreSQL connections with the options that Daybook needs, and translates asyncpg's errors: settings in,
connections out.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from daybook_infra.runtime.errors import DatabaseAway, DatabaseRefuses, SettingsError
from daybook_infra.runtime.remote_servers import find_file_fault
from daybook_infra.runtime.settings import Settings, env_name, require_database

CONNECT_SECONDS = 10.0
STATEMENT_SECONDS = 30.0
# The client waits this much longer than the server's statement timeout. So the client times out only if the network
# loses the server's answer.
GRACE_SECONDS = 5.0

if TYPE_CHECKING:
    # asyncpg's classes are generic only in their stubs.
    OwnConnection = asyncpg.Connection[asyncpg.Record]
    Connection = OwnConnection | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    OwnConnection = asyncpg.Connection
    Connection = OwnConnection | PoolConnectionProxy
    Pool = asyncpg.Pool

# Errors that are not the statement's fault. The server did not carry it out, or it is unknown whether it did: retry.
_OUTAGES = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    # Shutdowns, cancelled statements, a dropped database, sessions that were idle for too long.
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TargetServerAttributeNotMatched,
    # asyncpg raises this for a statement on an idle connection, when it has read the server's FATAL message but has not
    # yet seen that the connection is closed.
    asyncpg.InternalClientError,
)
# The server has a problem: a full disk, no memory, too many connections, a file that it cannot read.
_SERVER_TROUBLE = (asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError)
# A wrong password, a missing database, or a database that accepts no connections: an outage until an operator corrects
# it.
_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
# A revoked privilege, rows that row-level security hides, or a schema or table that a restore has not created yet: the
# statement is right, and an operator has to correct the database.
_DENIALS = (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError, asyncpg.UndefinedTableError)


@contextmanager
def translated(where: str = "PostgreSQL", setting: str = "database_url") -> Iterator[None]:
    """Raises `DatabaseAway`, with its cause, if the connection or the server fails, if the server lacks resources, or
    if the statement takes too long or conflicts with another one. Raises `DatabaseRefuses`, which is a `DatabaseAway`
    too, if the server refuses the login or no longer permits the statement, and SettingsError, naming `setting`, if
    asyncpg cannot use the URL. Other errors, such as a violated constraint, pass unchanged.
    """
    try:
        yield
    except _OUTAGES as error:
        raise DatabaseAway(f"{where} is away: {_first_line(error)}") from error
    except _SERVER_TROUBLE as error:
        raise DatabaseAway(f"{where} is in trouble: {_first_line(error)}") from error
    except _REFUSALS as error:
        raise DatabaseRefuses(f"{where} refuses the connection: {error}") from error
    except _DENIALS as error:
        raise DatabaseRefuses(f"{where} refuses a statement: {_first_line(error)}") from error
    except asyncpg.ClientConfigurationError as error:
        raise SettingsError(f"{env_name(setting)}: {_first_line(error)}") from error
    except asyncpg.InterfaceError as error:
        # asyncpg raises the same class for a lost connection and for misuse of its API, which is a bug.
        if not _is_of_lost_connection(error):
            raise
        raise DatabaseAway(f"{where} is away: {error}") from error


@asynccontextmanager
async def connect(
    settings: Settings, application: str, *, statement_seconds: float = STATEMENT_SECONDS
) -> AsyncIterator[OwnConnection]:
    """One connection to the primary. Errors of the body are `translated`. `statement_seconds=0` sets no limit."""
    with translated(_server_name(settings), _setting_of_address(settings)):
        connection = await asyncpg.connect(**_connection_options(settings, application, statement_seconds))
        try:
            yield connection
        finally:
            await close_connection(connection)


async def open_pool(
    settings: Settings,
    application: str,
    *,
    max_size: int = 4,
    statement_seconds: float = STATEMENT_SECONDS,
    session: Mapping[str, str] | None = None,
    **more: Any,
) -> Pool:
    """A pool of connections to the primary. `session` changes the settings of its sessions. `more` are further options
    of asyncpg's pool; without them, the pool keeps one connection open. Raises `DatabaseAway`. Wrap uses of the pool in
    `translated`.
    """
    with translated(_server_name(settings), _setting_of_address(settings)):
        options = _connection_options(settings, application, statement_seconds)
        options["server_settings"] |= session or {}
        return await asyncpg.create_pool(**{**options, "min_size": 1, "max_size": max_size, **more})


async def keep_session(_: Connection) -> None:
    """For a pool whose users change no setting of a session: `open_pool(…, reset=keep_session)`. This avoids the
    statement with which asyncpg resets a session after each use. A transaction that was left open is still rolled back.
    """


async def close_pool(pool: Pool, seconds: float = GRACE_SECONDS) -> None:
    """Waits up to `seconds` for connections in use, then aborts them."""
    try:
        async with asyncio.timeout(seconds):
            await pool.close()
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


async def close_connection(connection: OwnConnection) -> None:
    try:
        await connection.close(timeout=GRACE_SECONDS)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


def address(settings: Settings) -> str:
    """`host:port/database` as set, without user and password, so it may be logged."""
    parts = urlsplit(require_database(settings))
    return f"{parts.netloc.rpartition('@')[2] or 'localhost'}{parts.path}"


def _server_name(settings: Settings) -> str:
    return f"PostgreSQL at {address(settings)}"


def _setting_of_address(settings: Settings) -> str:
    """The setting that the database's address comes from: see `as_administrator`."""
    return "admin_database_url" if settings.database_url == settings.admin_database_url else "database_url"


def _connection_options(settings: Settings, application: str, statement_seconds: float) -> dict[str, Any]:
    url = require_database(settings)
    _check_files(url, _setting_of_address(settings))
    return {
        "dsn": url,
        "timeout": CONNECT_SECONDS,
        "command_timeout": statement_seconds + GRACE_SECONDS if statement_seconds else None,
        # Decisions need current rows, and a standby lags behind.
        "target_session_attrs": "primary",
        "server_settings": {
            "application_name": application,
            "timezone": "UTC",
            "statement_timeout": str(int(statement_seconds * 1000)),
            "idle_in_transaction_session_timeout": "60000",
            # If row-level security would hide rows, the statement fails instead: a decision made without them would be
            # final.
            "row_security": "off",
            # Statements are short and repeated, so compiling them costs more than it saves.
            "jit": "off",
        },
    }


@cache
def _check_files(url: str, setting: str) -> None:
    """Raises SettingsError. Once the files of an address were readable, they are not checked again: a file that is
    being replaced must not end a running service.
    """
    fault = find_file_fault(url)
    if fault is not None:
        raise SettingsError(f"{env_name(setting)}: {fault}")


def _is_of_lost_connection(error: asyncpg.InterfaceError) -> bool:
    """Also true for an error that follows from an earlier outage. An outage can leave a connection in the middle of an
    operation; the rollback and the pool then fail to use the connection.
    """
    context: BaseException | None = error
    while context is not None and not isinstance(context, _OUTAGES):
        context = context.__context__
    return context is not None or "closed" in str(error) or "closing" in str(error)


def _first_line(error: Exception) -> str:
    """The first line only. The server's detail and hint may quote values; operators find them in the server's log."""
    return str(error).partition("\n")[0] or type(error).__name__
