"""Writes net changes and rows of `audit_log` in the caller's transaction, with one statement for many rows, parents
before children. Raises `Unwritable` if PostgreSQL refuses a row.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from typing import Any, assert_never

import asyncpg

from daybook_infra.runtime.postgres.connections import GRACE_SECONDS, Connection
from daybook_projector.postgres import statements as sql
from daybook_projector.projections.audit_log import AUDIT_LOG, AuditRow
from daybook_projector.projections.changes import (
    Delete,
    FoldError,
    Insert,
    NetChange,
    Replace,
    Row,
    Table,
    Transient,
    Update,
    Value,
)
from daybook_projector.projections.fold import TABLES

Values = tuple[Value, ...]
Statement = tuple[str, list[Values]]

CASCADING = frozenset(sql.delete(table.cascades_from[1]) for table in TABLES if table.cascades_from is not None)
# A cascade over a million rows takes about a second, and much longer if the rows are not in memory. With a shorter
# limit, it could fail each time and block its partition for ever.
CASCADE_SECONDS = 600.0


class Unwritable(FoldError):
    """The rows contradict existing rows or a column's constraints."""


class Contended(Unwritable):
    """A row has the same unique value as another row, which another projector's transaction may have written."""


class IdTaken(Exception):
    """Another row of `audit_log` has the entry's id."""


CONTENTION = (Contended, IdTaken, asyncpg.DeadlockDetectedError)
"""Errors that another projector's transaction may have caused, so the batch is tried again before it is treated as
faulty.
"""
Conflicts = frozenset[type[Exception]]
"""The errors in `CONTENTION` that ended earlier attempts at a batch."""


@contextmanager
def translated_refusals() -> Iterator[None]:
    """Raises `Unwritable` if the server or the driver's encoder refuses a value; the message never quotes it."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise Contended(f"{type(error).__name__} {error.constraint_name}") from error
    except (
        asyncpg.IntegrityConstraintViolationError,
        asyncpg.DataError,
        asyncpg.ProgramLimitExceededError,
    ) as error:
        raise Unwritable(f"{type(error).__name__} {error.constraint_name or error.sqlstate}") from error
    except asyncpg.InterfaceError as error:
        # asyncpg's "invalid input for query argument" is a ValueError too. Its other InterfaceErrors come from misuse,
        # which is a bug.
        if isinstance(error, ValueError):
            raise Unwritable("a value that the driver cannot send") from error
        raise


async def write_changes(
    connection: Connection,
    phases: Iterable[Iterable[NetChange]],
    tables: Sequence[Table] = TABLES,
    *,
    cascade_seconds: float | None = CASCADE_SECONDS,
) -> None:
    """`tables`: parents before children. `cascade_seconds`: the timeout of statements that may cascade; if None, the
    transaction's own. Raises `Unwritable`, also if a row to change does not exist.
    """
    with translated_refusals():
        for statement, rows in chain.from_iterable(statements(phase, tables) for phase in phases):
            tag = await _execute(connection, statement, rows, cascade_seconds if statement in CASCADING else None)
            if int(tag.rpartition(" ")[2]) != len(rows):
                raise Unwritable(f"a row that an entry needs is missing ({tag} of {len(rows)})")


async def _execute(connection: Connection, statement: str, rows: list[Values], seconds: float | None) -> str:
    if seconds is None:
        return await connection.execute(statement, *zip(*rows, strict=True))
    await connection.execute(f"SET LOCAL statement_timeout = '{seconds:.0f}s'")
    return await connection.execute(statement, *zip(*rows, strict=True), timeout=seconds + GRACE_SECONDS)


async def write_missing(connection: Connection, inserts: Iterable[Insert]) -> None:
    """Inserts the rows that do not exist yet. Raises `Unwritable`."""
    rows = list(inserts)
    with translated_refusals():
        for table in TABLES:
            inserted = [_values(table, insert.row) for insert in rows if insert.table is table]
            if inserted:
                await connection.execute(sql.insert_missing(table), *zip(*inserted, strict=True))


async def copy_audit_log(connection: Connection, rows: Sequence[AuditRow]) -> None:
    """Raises `Unwritable` and `IdTaken`."""
    schema, name = AUDIT_LOG.name.split(".")
    try:
        with translated_refusals():
            await connection.copy_records_to_table(
                name, schema_name=schema, columns=list(AUDIT_LOG.columns), records=map(_copy_record, rows)
            )
    except Contended as error:
        raise IdTaken("an id in audit_log is taken") from error


def statements(changes: Iterable[NetChange], tables: Sequence[Table] = TABLES) -> list[Statement]:
    """The statements in order: inserts, parents first; updates; deletes, children first; and inserts of replaced rows.
    Updates run before deletes, because a delete may cascade to a row that is updated.
    """
    inserted, deleted, reinserted = (defaultdict[Table, list[Values]](list) for _ in range(3))
    updated = defaultdict[Table, list[Update]](list)
    for change in changes:
        match change:
            case Insert():
                inserted[change.table].append(_values(change.table, change.row))
            case Update():
                updated[change.table].append(change)
            case Delete():
                deleted[change.table].append(change.key)
            case Replace():
                if change.first is not None:
                    inserted[change.table].append(_values(change.table, change.first))
                deleted[change.table].append(change.key)
                reinserted[change.table].append(_values(change.table, change.row))
            case Transient():
                inserted[change.table].append(_values(change.table, change.row))
                deleted[change.table].append(change.key)
            case _:
                assert_never(change)
    return [
        *((sql.insert(table), inserted[table]) for table in tables if table in inserted),
        *(_update(table, updates) for table, updates in updated.items()),
        *((sql.delete(table), deleted[table]) for table in tables[::-1] if table in deleted),
        *((sql.insert(table), reinserted[table]) for table in tables if table in reinserted),
    ]


def _update(table: Table, updates: Sequence[Update]) -> Statement:
    """One statement for all rows, even if they change different columns."""
    columns = tuple(sorted({name for update in updates for name in (*update.values, *update.added)}))
    unset: list[tuple[int, str, Value]] = [
        (1 << at, column, 0 if sql.can_add(table, column) else None) for at, column in enumerate(columns)
    ]
    rows = []
    for update in updates:
        values, added = update.values, update.added
        changed = sum(bit for bit, column, _ in unset if column in values)
        news = [values[name] if name in values else added.get(name, nothing) for _, name, nothing in unset]
        rows.append((*update.key, changed, *news))
    return sql.update(table, columns), rows


def _values(table: Table, row: Row) -> Values:
    return tuple(map(row.__getitem__, table.columns))


def _copy_record(row: AuditRow) -> tuple[Any, ...]:
    *others, created_at = row
    return (*others, datetime.fromisoformat(created_at or ""))
