"""Rows of all tables in one SQLite file: changed rows in; JCS rows, in key order, out. A key is its uuids' bytes, one
after another. The file is a scratch file: a crash may leave it useless.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from daybook_projector.audit.checks.row_hash import json_value, row_bytes
from daybook_projector.projections.changes import Key, Row, Table, Value
from daybook_projector.projections.fold import TABLES

_SETTINGS: Final = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF"
_FROZEN: Final = "CREATE TABLE IF NOT EXISTS frozen (org_id TEXT PRIMARY KEY, position INTEGER NOT NULL)"
_FREEZE: Final = "INSERT OR REPLACE INTO frozen VALUES (?, ?)"

StoredRow = Row | None
"""None if there is no such row."""


class RowStore:
    """Use it in one thread at a time. An existing file is continued."""

    def __init__(self, path: Path) -> None:
        self.is_new = not path.exists()
        self._cache_kib = 0
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.executescript(_SETTINGS)
        for statement in _schema():
            self._connection.execute(statement)
        # A transaction is always open, because every read outside of one locks and unlocks the file.
        self._connection.execute("BEGIN")

    def set_cache(self, kib: int) -> None:
        """Limits how much of the file stays in memory."""
        if kib != self._cache_kib:
            self._cache_kib = kib
            self._connection.execute(f"PRAGMA cache_size = -{kib}")
            self._connection.execute("PRAGMA shrink_memory")

    def frozen(self) -> dict[str, int]:
        """The orgs that no longer change, and from which position on."""
        return dict(self._connection.execute("SELECT org_id, position FROM frozen"))

    def freeze(self, org_id: str, position: int) -> None:
        self._connection.execute(_FREEZE, (org_id, position))

    def read(self, table: Table, key: Key) -> Row | None:
        found = self._connection.execute(_select(table), (key_bytes(key),)).fetchone()
        return None if found is None else _row(table, key, found)

    def has_unique(self, table: Table, values: tuple[Value, ...]) -> bool:
        """Whether a row has these values in the table's `unique` columns."""
        return self._connection.execute(_select_unique(table), values).fetchone() is not None

    def write(self, rows: Mapping[Table, Mapping[Key, StoredRow]]) -> None:
        """Writes each row under its key, in place of the old row. None deletes the old row."""
        if not rows:
            return
        for table, changed in rows.items():
            gone = [(key_bytes(key),) for key, row in changed.items() if row is None]
            self._connection.executemany(_delete(table), gone)
        for table, changed in rows.items():
            # In the order of the keys, so that each page is touched once.
            kept = sorted((key_bytes(key), row) for key, row in changed.items() if row is not None)
            self._connection.executemany(_insert(table), (_values(table, *each) for each in kept))
        self._connection.execute("COMMIT")
        self._connection.execute("BEGIN")

    def delete_children(self, table: Table, parent: Key) -> None:
        """Deletes the rows of a table that refer, with ON DELETE CASCADE, to the row `parent` of another table."""
        if table.cascades_from is None:
            return
        if _has_key_of_parent(table):
            self._connection.execute(_delete(table), (key_bytes(parent),))
        else:
            self._connection.execute(_delete_where(table, table.cascades_from[0]), parent)

    def scan(self, table: Table) -> Iterator[tuple[bytes, bytes]]:
        """Key and JCS of each row, in the order of the keys. Nothing may be written meanwhile."""
        make = _row_maker(table)
        for key, *values in self.stored(table):
            yield key, make(key, values)

    def stored(self, table: Table) -> Iterator[tuple[Any, ...]]:
        """Key and other columns of each row as they are stored, in the order of the keys. Nothing may be written
        meanwhile.
        """
        yield from self._connection.execute(_scan(table))

    def close(self) -> None:
        self._connection.execute("COMMIT")
        self._connection.close()


def key_bytes(key: Key) -> bytes:
    digits = f"{key[0]}" if len(key) == 1 else "".join(map(str, key))
    return bytes.fromhex(digits.replace("-", ""))


def key_texts(key: bytes) -> list[str]:
    """The uuids of a key."""
    digits = key.hex()
    return [_uuid_text(digits[at : at + 32]) for at in range(0, len(digits), 32)]


def _uuid_text(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _row(table: Table, key: Key, stored: Iterable[Value]) -> Row:
    row = dict(zip(_others(table), stored, strict=True))
    for column in _columns_of_type(table, "boolean"):
        row[column] = bool(row[column])
    return {**dict(zip(table.key, key, strict=True)), **row}


def _values(table: Table, key: bytes, row: Row) -> tuple[Any, ...]:
    return (key, *[row[column] for column in _others(table)])


def _row_maker(table: Table) -> Callable[[bytes, Iterable[Any]], bytes]:
    others, booleans, documents = _others(table), _columns_of_type(table, "boolean"), _columns_of_type(table, "jsonb")

    def make(key: bytes, stored: Iterable[Any]) -> bytes:
        row: dict[str, Any] = dict(zip(others, stored, strict=True))
        row.update(zip(table.key, key_texts(key), strict=True))
        for column in booleans:
            row[column] = bool(row[column])
        for column in documents:
            row[column] = json_value(row[column])
        return row_bytes(row)

    return make


@cache
def _others(table: Table) -> tuple[str, ...]:
    """The columns except the key."""
    return tuple(column for column in table.columns if column not in table.key)


def _has_key_of_parent(table: Table) -> bool:
    """Whether each row has the key of its parent, from which deletes cascade. A parent then has at most one row."""
    return table.cascades_from is not None and table.key == table.cascades_from[:1]


@cache
def _columns_of_type(table: Table, sql_type: str) -> tuple[str, ...]:
    return tuple(column for column, type_ in table.columns.items() if type_ == sql_type)


@cache
def _name(table: Table) -> str:
    return table.name.replace(".", "_")


def _schema() -> Iterator[str]:
    """Names are quoted, because some are keywords of SQLite. No statement contains values."""
    yield _FROZEN
    for table in TABLES:
        columns = ", ".join(f'"{column}"' for column in _others(table))
        yield f"CREATE TABLE IF NOT EXISTS {_name(table)} (key BLOB PRIMARY KEY, {columns}) WITHOUT ROWID"
        if table.cascades_from is not None and not _has_key_of_parent(table):
            yield _index(table, table.cascades_from[:1])
        if table.unique:
            yield _index(table, table.unique)


def _index(table: Table, columns: tuple[str, ...]) -> str:
    name, quoted = _name(table), ", ".join(f'"{column}"' for column in columns)
    return f"CREATE INDEX IF NOT EXISTS {name}_{columns[0]} ON {name} ({quoted})"


@cache
def _select(table: Table) -> str:
    columns = ", ".join(f'"{column}"' for column in _others(table))
    return f"SELECT {columns} FROM {_name(table)} WHERE key = ?"  # noqa: S608 - names of our own tables, here and below


@cache
def _scan(table: Table) -> str:
    columns = ", ".join(f'"{column}"' for column in _others(table))
    return f"SELECT key, {columns} FROM {_name(table)} ORDER BY key"  # noqa: S608


@cache
def _select_unique(table: Table) -> str:
    same = " AND ".join(f'"{column}" = ?' for column in table.unique)
    return f"SELECT key FROM {_name(table)} WHERE {same}"  # noqa: S608


@cache
def _insert(table: Table) -> str:
    return f"INSERT OR REPLACE INTO {_name(table)} VALUES ({', '.join('?' for _ in range(1 + len(_others(table))))})"  # noqa: S608


@cache
def _delete(table: Table) -> str:
    return f"DELETE FROM {_name(table)} WHERE key = ?"  # noqa: S608


@cache
def _delete_where(table: Table, column: str) -> str:
    return f'DELETE FROM {_name(table)} WHERE "{column}" = ?'  # noqa: S608
