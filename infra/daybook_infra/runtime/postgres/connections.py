"""PostgreSQL connections as Daybook needs them, and its driver's errors translated once: settings in, asyncpg out.
Which tables there are is not known here.
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
# The server cancels first; the client's own deadline is for a network that swallows everything.
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

# What says nothing of the statement, only that it did not (or may not) have come through: retry.
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
    # A statement on an idle connection whose FATAL message has been read, but whose end has not.
    asyncpg.InternalClientError,
)
# A full disk, no memory, too many connections, a file that cannot be read: of the server, not of what was asked of it.
_TROUBLE = (asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError)
# Wrong password, missing database, one that takes no connections: people put it right, meanwhile it is as good as away.
_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
# A right that was revoked, rows that row-level security hides, a schema or a table that a restore has yet to make: the
# statement is right, and people put the database right.
_DENIALS = (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError, asyncpg.UndefinedTableError)


@contextmanager
def translated(where: str = "PostgreSQL") -> Iterator[None]:
    """Raises `DatabaseAway`, with its cause, where the driver says that the connection or the server failed, or lacks
    room, the statement took too long, lost to another one, or is not permitted (any more). Constraint violations and
    the like pass unchanged.
    """
    try:
        yield
    except _OUTAGES as error:
        raise DatabaseAway(f"{where} is away: {_reason(error)}") from error
    except _TROUBLE as error:
        raise DatabaseAway(f"{where} is in trouble: {_reason(error)}") from error
    except _REFUSALS as error:
        raise DatabaseAway(f"{where} refuses the connection: {error}") from error
    except _DENIALS as error:
        raise DatabaseAway(f"{where} refuses a statement: {_reason(error)}") from error
    except asyncpg.ClientConfigurationError as error:
        raise SettingsError(f"{env_name('database_url')}: {_reason(error)}") from error
    except asyncpg.InterfaceError as error:
        # asyncpg has one class for a connection that is lost and for misuse; misuse is a bug.
        if not _of_a_lost_connection(error):
            raise
        raise DatabaseAway(f"{where} is away: {error}") from error


@asynccontextmanager
async def connect(
    settings: Settings, application: str, *, statement_seconds: float = STATEMENT_SECONDS
) -> AsyncIterator[OwnConnection]:
    """One connection to the primary; inside, errors are `translated`. `statement_seconds=0`: no limit."""
    with translated(_named(settings)):
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
    """A pool of connections to the primary, the first one open. Raises `DatabaseAway`; wrap its use in `translated`."""
    with translated(_named(settings)):
        options = _options(settings, application, statement_seconds)
        return await asyncpg.create_pool(**options, min_size=1, max_size=max_size)


async def close_pool(pool: Pool, seconds: float = GRACE_SECONDS) -> None:
    """Waits for what is in use, then breaks it off."""
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
    """`host:port/database`, as the setting has it, without user and password: fit to be logged."""
    parts = urlsplit(require_database(settings))
    return f"{parts.netloc.rpartition('@')[2] or 'localhost'}{parts.path}"


def _named(settings: Settings) -> str:
    return f"PostgreSQL at {address(settings)}"


def _options(settings: Settings, application: str, statement_seconds: float) -> dict[str, Any]:
    return {
        "dsn": require_database(settings),
        "timeout": CONNECT_SECONDS,
        "command_timeout": statement_seconds + GRACE_SECONDS if statement_seconds else None,
        # A standby lags: whatever is decided on is read from the primary.
        "target_session_attrs": "primary",
        "server_settings": {
            "application_name": application,
            "timezone": "UTC",
            "statement_timeout": str(int(statement_seconds * 1000)),
            "idle_in_transaction_session_timeout": "60000",
            # What row-level security would hide is refused instead: a decision on half of the rows would be final.
            "row_security": "off",
            # Statements are short and repeated; compiling them costs more than it saves.
            "jit": "off",
        },
    }


def _of_a_lost_connection(error: asyncpg.InterfaceError) -> bool:
    """Also where the rollback, and then the pool, try to use a connection that an outage left amid an operation."""
    before: BaseException | None = error
    while before is not None and not isinstance(before, _OUTAGES):
        before = before.__context__
    return before is not None or "closed" in str(error) or "closing" in str(error)


def _reason(error: Exception) -> str:
    """The first line: the server's detail and hint are for its own log."""
    return str(error).partition("\n")[0] or type(error).__name__
