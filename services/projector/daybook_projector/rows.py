"""Writes net changes and rows of `audit_log` inside the caller's transaction: set-based, parents before children.
Whatever PostgreSQL says against a row comes out as `Unwritable`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, assert_never

import asyncpg

from daybook_infra.postgres import Connection
from daybook_projector import sql
from daybook_projector.projections.audit_log import AUDIT_LOG, AuditRow
from daybook_projector.projections.changes import (
    Delete,
    FoldError,
    Insert,
    NetChange,
    Replace,
    Transient,
    Update,
    Value,
)
from daybook_projector.projections.fold import TABLES

Values = tuple[Value, ...]
Statement = tuple[str, list[Values]]

CHILDREN_FIRST = TABLES[::-1]


class Unwritable(FoldError):
    """The rows contradict those that are there, or what a column may hold."""


@contextmanager
def refusals() -> Iterator[None]:
    """Raises `Unwritable` for what the server, or the driver's encoder, says against a value, never quoting it."""
    try:
        yield
    except (
        asyncpg.IntegrityConstraintViolationError,
        asyncpg.DataError,
        asyncpg.ProgramLimitExceededError,
    ) as error:
        raise Unwritable(f"{type(error).__name__} {error.constraint_name or error.sqlstate}") from error
    except asyncpg.InterfaceError as error:
        # asyncpg's "invalid input for query argument" is a ValueError too; its other errors are misuse: bugs.
        if isinstance(error, ValueError):
            raise Unwritable("a value that the driver cannot send") from error
        raise


async def write_changes(connection: Connection, changes: Iterable[NetChange]) -> None:
    """Raises `Unwritable`, also where a row to change is not there."""
    with refusals():
        for statement, rows in statements(changes):
            tag = await connection.execute(statement, *zip(*rows, strict=True))
            if int(tag.rpartition(" ")[2]) != len(rows):
                raise Unwritable(f"a row to change is missing ({tag} of {len(rows)})")


async def write_missing(connection: Connection, inserts: Iterable[Insert]) -> None:
    """Makes those rows that are not there yet. Raises `Unwritable`."""
    rows = list(inserts)
    with refusals():
        for table in TABLES:
            made = [_values(insert) for insert in rows if insert.table is table]
            if made:
                await connection.execute(sql.insert_missing(table), *zip(*made, strict=True))


async def copy_audit_log(connection: Connection, rows: Sequence[AuditRow]) -> None:
    """Raises `Unwritable`."""
    schema, name = AUDIT_LOG.name.split(".")
    with refusals():
        await connection.copy_records_to_table(
            name, schema_name=schema, columns=list(AUDIT_LOG.columns), records=map(_record, rows)
        )


def statements(changes: Iterable[NetChange]) -> list[Statement]:
    """Children are deleted first, then rows are made, parents first, then others updated, passing ones deleted."""
    made, gone, passing, news = (defaultdict[Any, list[Values]](list) for _ in range(4))
    for change in changes:
        match change:
            case Insert():
                made[change.table].append(_values(change))
            case Update():
                columns = tuple(sorted(change.values))
                news[change.table, columns].append((*change.key, *(change.values[column] for column in columns)))
            case Delete():
                gone[change.table].append(change.key)
            case Replace():
                gone[change.table].append(change.key)
                made[change.table].append(_values(change))
            case Transient():
                made[change.table].append(_values(change))
                passing[change.table].append(change.key)
            case _:
                assert_never(change)
    return [
        *((sql.delete(table), gone[table]) for table in CHILDREN_FIRST if table in gone),
        *((sql.insert(table), made[table]) for table in TABLES if table in made),
        *((sql.update(*changed), rows) for changed, rows in news.items()),
        *((sql.delete(table), passing[table]) for table in CHILDREN_FIRST if table in passing),
    ]


def _values(change: Insert | Replace | Transient) -> Values:
    return tuple(change.row[column] for column in change.table.columns)


def _record(row: AuditRow) -> tuple[Any, ...]:
    *others, created_at = row
    return (*others, datetime.fromisoformat(created_at or ""))
