"""Writes to scratch files what a replay needs of a partition besides its fold: the rows of `audit_log` in PostgreSQL's
binary COPY format, and the users that they name. Memory is bounded.
"""

import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final

from daybook_contracts.timestamps import microseconds
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.projections.audit_log import AUDIT_LOG, audit_row
from daybook_projector.projections.required_users import registered_user, required_actor, required_member
from daybook_projector.projections.rule import Columns

COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER: Final = b"\xff\xff"
PIECE_BYTES: Final = 256 * 1024
UNWRITTEN_USERS: Final = 20_000

_COUNT: Final = Struct(">h").pack(len(AUDIT_LOG.columns))
_LENGTH: Final = Struct(">i")
_TIME: Final = Struct(">q")
_NULL: Final = _LENGTH.pack(-1)
_JSONB_VERSION: Final = b"\1"
_EPOCH: Final = microseconds("2000-01-01T00:00:00Z")
"""The epoch of PostgreSQL."""


class SpilledRows:
    """Writes rows of `audit_log`, under the entries' first ids."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")

    def add(self, columns: Columns, metadata: str) -> None:
        self._file.write(_COUNT)
        for (column, sql_type), value in zip(AUDIT_LOG.columns.items(), audit_row(columns, metadata), strict=True):
            self._file.write(_NULL if value is None else _field(column, sql_type, value))

    def close(self) -> None:
        self._file.close()


def spilled_rows(path: Path) -> Iterator[bytes]:
    """The rows of a file, in pieces: without the header and trailer of a COPY."""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


class NamedUsers:
    """The users that entries name in a column or a row, in an SQLite file."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        self._connection.execute("CREATE TABLE IF NOT EXISTS users (id BLOB PRIMARY KEY) WITHOUT ROWID")
        self._unwritten: set[str] = set()

    def add(self, entry: PartitionEntry, *, is_applied: bool) -> None:
        """An entry that is not applied names only its actor, in `audit_log`."""
        if entry.columns is None:
            return
        fact = entry.fact if is_applied else None
        named = required_actor(entry.columns, fact), required_member(fact), registered_user(fact)
        self._unwritten.update(user for user in named if user is not None)
        if len(self._unwritten) >= UNWRITTEN_USERS:
            self._write()

    def ids(self) -> Iterator[bytes]:
        """The ids in order. Nothing may be added while they are read."""
        self._write()
        for (id_,) in self._connection.execute("SELECT id FROM users ORDER BY id"):
            yield id_

    def close(self) -> None:
        self._write()
        self._connection.close()

    def _write(self) -> None:
        self._connection.execute("BEGIN")
        ids = ((_uuid(user),) for user in sorted(self._unwritten))
        self._connection.executemany("INSERT OR IGNORE INTO users VALUES (?)", ids)
        self._connection.execute("COMMIT")
        self._unwritten.clear()


def _field(column: str, sql_type: str, value: str) -> bytes:
    match sql_type:
        case "uuid":
            data = _uuid(value)
        case "jsonb":
            data = _JSONB_VERSION + value.encode()
        case "timestamptz":
            data = _TIME.pack(microseconds(value) - _EPOCH)
        case "text":
            data = value.encode()
        case _:
            raise TypeError(f"audit_log.{column} has the type {sql_type}")
    return _LENGTH.pack(len(data)) + data


@lru_cache(maxsize=8192)
def _uuid(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))
