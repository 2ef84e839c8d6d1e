"""SQL statements over sets of rows, generated from a projection's Table. They contain no values: each takes one array
per column. The driver cannot send some types in an array: it sends them as text, and the server casts them.
"""

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
def update(table: Table, columns: tuple[str, ...], added: tuple[str, ...] = ()) -> str:
    """The parameters are arrays, in this order: key columns, changed columns, and amounts to add to the columns in
    `added`.
    """
    changes = [f"{column} = news.{column}" for column in columns]
    changes += [f"{column} = old.{column} + news.{column}" for column in added]
    sent = (*table.key, *columns, *added)
    rows = f"{_rows(table, *sent)} AS news ({_names(sent)})"
    return f"UPDATE {table.name} AS old SET {', '.join(changes)} FROM {rows} WHERE {_same_key(table)}"  # noqa: S608 - as above


@cache
def delete(table: Table) -> str:
    rows = f"{_rows(table, *table.key)} AS news ({_names(table.key)})"
    return f"DELETE FROM {table.name} AS old USING {rows} WHERE {_same_key(table)}"  # noqa: S608 - as above


def _rows(table: Table, *columns: str) -> str:
    arrays = (_array(number, table.columns[column]) for number, column in enumerate(columns, start=1))
    return f"unnest({', '.join(arrays)})"


def _array(number: int, sql_type: str) -> str:
    return f"${number}::{sql_type}[]" if sql_type in SENT_DIRECTLY else f"${number}::text[]::{sql_type}[]"


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(columns)


def _same_key(table: Table) -> str:
    return " AND ".join(f"old.{column} = news.{column}" for column in table.key)
