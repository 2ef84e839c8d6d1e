"""Changes in log order in, stretches of them out, whose net effects are written one after another. Within a stretch
rows are made and changed before any are deleted; what may need a deletion done first stands in a later one.
"""

from collections import defaultdict
from collections.abc import Iterable

from daybook_projector.projections.changes import Change, Delete, Insert, Table

Owner = str | None


def stretches(changes: Iterable[tuple[Owner, Change]]) -> list[list[Change]]:
    """Rows of two owners never meet, so each owner has a course of its own: one stretch holds many deletions, and the
    number of stretches is the number of turns from deletions to what waits for them, of the owner with the most.
    """
    found: list[list[Change]] = []
    reached: dict[Owner, int] = defaultdict(int)
    deleted_from: dict[Owner, set[Table]] = defaultdict(set)
    for owner, change in changes:
        tables = deleted_from[owner]
        if tables and _waits(change, tables):
            reached[owner] += 1
            tables.clear()
        if isinstance(change, Delete):
            tables.add(change.table)
        if reached[owner] == len(found):
            found.append([])
        found[reached[owner]].append(change)
    return found


def _waits(change: Change, deleted_from: set[Table]) -> bool:
    """A row that hangs on another may have gone with it, and its id, or a unique value, may be free again."""
    table = change.table
    if table.hangs_on is not None and table.hangs_on[1] in deleted_from:
        return True
    return isinstance(change, Insert) and bool(table.unique) and table in deleted_from
