"""A temporary folder for the files of one command."""

import errno
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from daybook_infra.runtime.errors import DaybookError

# No room, no more quota, and a file beyond the process's limit.
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class NoRoom(DaybookError):
    """The temporary folder cannot hold what the command must keep there."""


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Removes the folder at the end. Raises `NoRoom` if its file system is full."""
    try:
        with tempfile.TemporaryDirectory(prefix=prefix) as name:
            yield Path(name)
    except (sqlite3.OperationalError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_ROOM:
            raise
        raise NoRoom(
            f"the temporary folder {tempfile.gettempdir()} is full ({error}): the command needs about as much room "
            "there as the tables; make room, or set TMPDIR to another folder"
        ) from error
