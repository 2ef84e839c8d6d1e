"""sync_runs: one row per run of a connection, from its start to its end."""

from collections.abc import Iterable

from daybook_contracts.entries.facts import SyncCancelled, SyncCompleted, SyncFailed, SyncStarted
from daybook_projector.projections.changes import Change, Insert, Table, Update, Value
from daybook_projector.projections.rule import Columns, Rules
from daybook_projector.projections.source_connections import SOURCE_CONNECTIONS

SYNC_RUNS = Table(
    "public.sync_runs",
    key=("id",),
    columns={
        "id": "uuid",
        "connection_id": "uuid",
        "status": "text",
        "started_at": "timestamptz",
        "finished_at": "timestamptz",
        "error_message": "text",
    },
    cascades_from=("connection_id", SOURCE_CONNECTIONS),
)


def started(entry: Columns, fact: SyncStarted) -> Iterable[Change]:
    row: dict[str, Value] = {
        "id": fact.sync_run_id,
        "connection_id": fact.connection_id,
        "status": "running",
        "started_at": entry.created_at,
        "finished_at": None,
        "error_message": None,
    }
    return (Insert(SYNC_RUNS, row),)


def completed(entry: Columns, fact: SyncCompleted) -> Iterable[Change]:
    return (Update(SYNC_RUNS, (fact.sync_run_id,), {"status": "success", "finished_at": entry.created_at}),)


def failed(entry: Columns, fact: SyncFailed) -> Iterable[Change]:
    values = {"status": "failed", "finished_at": entry.created_at, "error_message": fact.error_message}
    return (Update(SYNC_RUNS, (fact.sync_run_id,), values),)


def cancelled(entry: Columns, fact: SyncCancelled) -> Iterable[Change]:
    return (Update(SYNC_RUNS, (fact.sync_run_id,), {"status": "cancelled", "finished_at": entry.created_at}),)


RULES: Rules = {SyncStarted: started, SyncCompleted: completed, SyncFailed: failed, SyncCancelled: cancelled}
