"""A temporary folder for the files of one command."""

import errno
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from daybook_infra.runtime.errors import DaybookError

# No room, no more quota, and a file beyond the process's limit. SQLite reports all of them as one of two errors.
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SQLITE_NO_ROOM: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})


class NoRoom(DaybookError):
    """The temporary folder cannot hold what the command must keep there."""


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Removes the folder at the end. Raises `NoRoom` if its file system is full."""
    try:
        with tempfile.TemporaryDirectory(prefix=prefix) as name:
            yield Path(name)
    except (sqlite3.OperationalError, OSError) as error:
        if not _is_no_room(error):
            raise
        raise NoRoom(
            f"the temporary folder {tempfile.gettempdir()} is full ({error}): the command needs about as much room "
            "there as the tables; make room, or set TMPDIR to another folder"
        ) from error


def _is_no_room(error: sqlite3.OperationalError | OSError) -> bool:
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return error.sqlite_errorcode & 0xFF in _SQLITE_NO_ROOM  # the rest of an extended code says where it happened
