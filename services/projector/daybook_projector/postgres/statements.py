"""SQL statements over sets of rows, generated from a projection's Table. They contain no values: each takes one array
per column. The driver cannot send some types in an array: it sends them as text, and the server casts them.
"""

from collections.abc import Iterable
from functools import cache

from daybook_projector.projections.changes import Table

SENT_DIRECTLY = frozenset({"uuid", "text", "boolean", "integer"})


@cache
def insert(table: Table) -> str:
    return f"INSERT INTO {table.name} ({_names(tuple(table.columns))}) SELECT * FROM {_rows(table, *table.columns)}"  # noqa: S608 - names of our own tables


@cache
def insert_missing(table: Table) -> str:
    return f"{insert(table)} ON CONFLICT DO NOTHING"


@cache
def update(table: Table, columns: tuple[str, ...]) -> str:
    """The parameters are arrays, in this order: key columns; bits that say which of `columns` get a new value, the
    first column's bit lowest; the new values of each column. In a column of integers, a row without a new value gives
    the amount to add.
    """
    changes = ", ".join(
        f"{column} = CASE WHEN news.changed & {1 << at} <> 0 THEN news.{column} ELSE {_unset(table, column)} END"
        for at, column in enumerate(columns)
    )
    types = (*(table.columns[column] for column in table.key), "integer", *(table.columns[name] for name in columns))
    rows = f"{_unnest(types)} AS news ({_names((*table.key, 'changed', *columns))})"
    return f"UPDATE {table.name} AS old SET {changes} FROM {rows} WHERE {_same_key(table)}"  # noqa: S608 - as above


@cache
def delete(table: Table) -> str:
    rows = f"{_rows(table, *table.key)} AS news ({_names(table.key)})"
    return f"DELETE FROM {table.name} AS old USING {rows} WHERE {_same_key(table)}"  # noqa: S608 - as above


def can_add(table: Table, column: str) -> bool:
    return table.columns[column] == "integer"


def _unset(table: Table, column: str) -> str:
    return f"old.{column} + news.{column}" if can_add(table, column) else f"old.{column}"


def _rows(table: Table, *columns: str) -> str:
    return _unnest(table.columns[column] for column in columns)


def _unnest(sql_types: Iterable[str]) -> str:
    return f"unnest({', '.join(_array(number, sql_type) for number, sql_type in enumerate(sql_types, start=1))})"


def _array(number: int, sql_type: str) -> str:
    return f"${number}::{sql_type}[]" if sql_type in SENT_DIRECTLY else f"${number}::text[]::{sql_type}[]"


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(columns)


def _same_key(table: Table) -> str:
    return " AND ".join(f"old.{column} = news.{column}" for column in table.key)
