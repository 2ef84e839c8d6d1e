"""PostgreSQL connections with the options that Daybook needs, and asyncpg's errors translated once: settings in,
connections out.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from daybook_infra.runtime.errors import DatabaseAway, SettingsError
from daybook_infra.runtime.settings import Settings, env_name, require_database

CONNECT_SECONDS = 10.0
STATEMENT_SECONDS = 30.0
# The server cancels first. The client's own deadline is for a network that loses everything.
GRACE_SECONDS = 5.0

if TYPE_CHECKING:
    # asyncpg's classes take parameters in their stubs only.
    OwnConnection = asyncpg.Connection[asyncpg.Record]
    Connection = OwnConnection | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    OwnConnection = asyncpg.Connection
    Connection = OwnConnection | PoolConnectionProxy
    Pool = asyncpg.Pool

# These say nothing about the statement, only that it was not, or may not have been, carried out: retry.
_OUTAGES = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    # Shutdowns, cancelled statements, a dropped database, sessions that idled for too long.
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TargetServerAttributeNotMatched,
    # A statement on an idle connection: asyncpg has read the server's FATAL message, but not the connection's end.
    asyncpg.InternalClientError,
)
# The server's own trouble: a full disk, no memory, too many connections, a file that cannot be read.
_SERVER_TROUBLE = (asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError)
# A wrong password, a missing database, one that takes no connections: an outage until people put it right.
_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
# A privilege that was revoked, rows that row-level security hides, a schema or a table that a restore has yet to make:
# the statement is right, and people have to put the database right.
_DENIALS = (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError, asyncpg.UndefinedTableError)


@contextmanager
def translated(where: str = "PostgreSQL") -> Iterator[None]:
    """Raises `DatabaseAway`, with its cause, where the connection or the server failed or lacks room, or where the
    statement took too long, lost to another one, or is no longer permitted. All else, such as a violated constraint,
    passes unchanged.
    """
    try:
        yield
    except _OUTAGES as error:
        raise DatabaseAway(f"{where} is away: {_reason(error)}") from error
    except _SERVER_TROUBLE as error:
        raise DatabaseAway(f"{where} is in trouble: {_reason(error)}") from error
    except _REFUSALS as error:
        raise DatabaseAway(f"{where} refuses the connection: {error}") from error
    except _DENIALS as error:
        raise DatabaseAway(f"{where} refuses a statement: {_reason(error)}") from error
    except asyncpg.ClientConfigurationError as error:
        raise SettingsError(f"{env_name('database_url')}: {_reason(error)}") from error
    except asyncpg.InterfaceError as error:
        # asyncpg has one class for a lost connection and for misuse, which is a bug.
        if not _is_of_lost_connection(error):
            raise
        raise DatabaseAway(f"{where} is away: {error}") from error


@asynccontextmanager
async def connect(
    settings: Settings, application: str, *, statement_seconds: float = STATEMENT_SECONDS
) -> AsyncIterator[OwnConnection]:
    """One connection to the primary. What its body raises is `translated`. `statement_seconds=0` sets no limit."""
    with translated(_server_name(settings)):
        connection = await asyncpg.connect(**_options(settings, application, statement_seconds))
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
) -> Pool:
    """A pool of connections to the primary; one is open. Raises `DatabaseAway`. Wrap its use in `translated`."""
    with translated(_server_name(settings)):
        options = _options(settings, application, statement_seconds)
        return await asyncpg.create_pool(**options, min_size=1, max_size=max_size)


async def close_pool(pool: Pool, seconds: float = GRACE_SECONDS) -> None:
    """Waits `seconds` for connections in use, then breaks them off."""
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


def _options(settings: Settings, application: str, statement_seconds: float) -> dict[str, Any]:
    return {
        "dsn": require_database(settings),
        "timeout": CONNECT_SECONDS,
        "command_timeout": statement_seconds + GRACE_SECONDS if statement_seconds else None,
        # A standby lags, and decisions need current rows.
        "target_session_attrs": "primary",
        "server_settings": {
            "application_name": application,
            "timezone": "UTC",
            "statement_timeout": str(int(statement_seconds * 1000)),
            "idle_in_transaction_session_timeout": "60000",
            # Rows that row-level security would hide are an error instead: a decision on half of them would be final.
            "row_security": "off",
            # Statements are short and repeated: to compile them costs more than it saves.
            "jit": "off",
        },
    }


def _is_of_lost_connection(error: asyncpg.InterfaceError) -> bool:
    """Also where the rollback, and then the pool, use a connection that an outage left amid an operation."""
    context: BaseException | None = error
    while context is not None and not isinstance(context, _OUTAGES):
        context = context.__context__
    return context is not None or "closed" in str(error) or "closing" in str(error)


def _reason(error: Exception) -> str:
    """The first line. The server's detail and hint may quote values, and stand in its own log."""
    return str(error).partition("\n")[0] or type(error).__name__
