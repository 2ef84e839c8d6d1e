"""Takes changes in log order, and splits them into phases whose net effects are written one after another. Within a
phase, inserts and updates run before deletes. A change that may need a delete to run first gets a later phase.
"""

from collections.abc import Iterable

from daybook_projector.projections.changes import Change, Delete, Insert, Table

# The id of the org whose rows are changed; None for changes of entries without an org.
Owner = str | None


def write_phases(changes: Iterable[tuple[Owner, Change]]) -> list[list[Change]]:
    """Rows of different owners never conflict, so each owner's changes are split separately. Phase n holds the n-th
    phase of every owner, so the owner with the most phases determines their number.
    """
    phases: list[list[Change]] = []
    current: dict[Owner, int] = {}
    deleted_from: dict[Owner, set[Table]] = {}
    for owner, change in changes:
        tables = deleted_from.get(owner)
        if tables and _must_wait(change, tables):
            current[owner] = current.get(owner, 0) + 1
            tables.clear()
        if isinstance(change, Delete):
            deleted_from.setdefault(owner, set()).add(change.table)
        phase = current.get(owner, 0)
        if phase == len(phases):
            phases.append([])
        phases[phase].append(change)
    return phases


def _must_wait(change: Change, deleted_from: set[Table]) -> bool:
    """Whether the change needs an earlier delete to run first: the delete may cascade to the same row, or free its id
    or unique value.
    """
    table = change.table
    if table.cascades_from is not None and table.cascades_from[1] in deleted_from:
        return True
    return isinstance(change, Insert) and bool(table.unique) and table in deleted_from
