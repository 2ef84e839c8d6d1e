"""Counts the activity of connections from the tables of runs and dead letters, as the contract defines it. It shares no
code with the projector.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from support.folds import Table, Tables

ACTIVITY = "daybook.connection_activity"
ACTIVITY_COLUMNS = (("connection_id",), ("pending", "failed_in_a_row", "running_run_id"))


def recounted(tables: Tables) -> Table:
    """The rows that the table must have: pending dead letters, last runs that failed in a row, the running run."""
    runs: defaultdict[str, list[tuple[str | None, str, str]]] = defaultdict(list)
    for (run_id,), (connection_id, status, _, finished_at, _) in tables["sync_runs"].items():
        runs[connection_id].append((finished_at, status, run_id))
    pending: defaultdict[str, int] = defaultdict(int)
    for connection_id, _, status, _ in tables["dlq_events"].values():
        pending[connection_id] += status == "pending"
    return {(id_,): (pending[id_], *_of_runs(runs[id_])) for (id_,) in tables["source_connections"]}


def _of_runs(runs: Iterable[tuple[str | None, str, str]]) -> tuple[Any, ...]:
    running = [run_id for _, status, run_id in runs if status == "running"]
    assert len(running) <= 1, running
    ended = sorted((at, status) for at, status, _ in runs if at is not None and status != "cancelled")
    failed = 0
    for _, status in reversed(ended):
        if status != "failed":
            break
        failed += 1
    return failed, next(iter(running), None)
