"""The PostgreSQL session of a rebuild: how long it waits for locks, and its error if it waited too long."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import asyncpg

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.rebuild.refusal import RebuildRefused

LOCK_SECONDS: Final = 20
"""Longer than a projector's transaction takes. A rebuild that gives up has changed nothing."""
# If this process is killed while it waits for a lock, the server must notice and release the locks it holds.
SESSION = f"SET lock_timeout = '{LOCK_SECONDS}s'; SET client_connection_check_interval = '1s'"

ShowProgress = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Called with the number of entries to read. Yields a function; call it with the number read since the last call."""


async def begin_session(connection: Connection) -> None:
    await connection.execute(SESSION)


@contextmanager
def refused_locks(whose: str) -> Iterator[None]:
    """Raises `RebuildRefused` if a lock is not free in time. `whose`: the org or the tables whose rows are locked."""
    try:
        yield
    except asyncpg.LockNotAvailableError as error:
        raise RebuildRefused(
            f"another transaction keeps rows of {whose}, or a checkpoint, locked for more than {LOCK_SECONDS} s: "
            "run the command again"
        ) from error
