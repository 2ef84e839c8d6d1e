"""The script that writes a small group of batches: batches in, the calls of its statements out. It fails with one of
`SURPRISES` if a checkpoint is locked or lost, an org is in quarantine, a row to change does not exist, or the script
itself does not fit. Writing the group statement by statement then finds out which.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

import asyncpg

from daybook_projector.partition.batch_rows import NO_ORGS, audit_rows, chosen_ids, net_changes
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.partition.machine import Batch
from daybook_projector.postgres import checkpoints
from daybook_projector.postgres import statements as sql
from daybook_projector.postgres.kept_entries import RESERVE_IDS
from daybook_projector.postgres.org_writer import QUARANTINED_ORGS
from daybook_projector.postgres.row_writer import statements
from daybook_projector.postgres.script import Call, array_literal, literal
from daybook_projector.projections.audit_log import AUDIT_LOG
from daybook_projector.projections.changes import Value
from daybook_projector.projections.fold import Folds

SURPRISES = (asyncpg.DivisionByZeroError, asyncpg.InvalidSQLStatementNameError, ValueError)


def group_calls(folds: Folds, batches: Sequence[Batch]) -> list[Call]:
    """As long as no org is in quarantine. Raises `FoldError`."""
    entries = [entry for batch in batches for entry in batch.entries]
    calls = [_move_call(batches)]
    if entries:
        calls += [_quarantine_call(entries), *_change_calls(folds, entries), *_kept_calls(entries)]
    return calls


def _move_call(batches: Sequence[Batch]) -> Call:
    columns, limits = checkpoints.group_parameters(batches)
    return _counted(checkpoints.MOVE_CHECKPOINTS, [*map(array_literal, columns), *map(literal, limits)], len(batches))


def _quarantine_call(entries: Sequence[PartitionEntry]) -> Call:
    org_ids = {entry.org_id for entry in entries if entry.org_id is not None}
    return _counted(QUARANTINED_ORGS, [array_literal(tuple(org_ids))], 0)


def _change_calls(folds: Folds, entries: Sequence[PartitionEntry]) -> Iterator[Call]:
    for statement, rows in chain.from_iterable(map(statements, net_changes(folds, entries, NO_ORGS))):
        literals = _column_literals(rows)
        if sql.is_insert(statement):
            yield statement, literals
        else:
            yield _counted(f"{statement} RETURNING 1", literals, len(rows))


def _kept_calls(entries: Sequence[PartitionEntry]) -> Iterator[Call]:
    chosen = chosen_ids(entries)
    if chosen:
        yield RESERVE_IDS, _column_literals(chosen)
    yield sql.insert(AUDIT_LOG), _column_literals(audit_rows(entries))


def _counted(statement: str, literals: Sequence[str], rows: int) -> Call:
    return sql.counted(statement, len(literals) + 1), [*literals, str(rows)]


def _column_literals(rows: Sequence[tuple[Value, ...]]) -> list[str]:
    return [array_literal(column) for column in zip(*rows, strict=True)]
