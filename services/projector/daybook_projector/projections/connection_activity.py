"""connection_activity: one row per connection, with its running run, the number of its pending dead letters, and how
many of its last finished runs failed in a row (cancelled runs do not count). Without these rows, the command service
would have to count.
"""

from collections.abc import Iterable

from daybook_contracts.entries.facts import (
    ConnectionCreated,
    DlqEventRecorded,
    DlqEventResolved,
    DlqEventsResolved,
    SyncCancelled,
    SyncCompleted,
    SyncFailed,
    SyncStarted,
)
from daybook_projector.projections.changes import Change, Insert, Table, Update, Value
from daybook_projector.projections.rule import Columns, Rules
from daybook_projector.projections.source_connections import SOURCE_CONNECTIONS

CONNECTION_ACTIVITY = Table(
    "daybook.connection_activity",
    key=("connection_id",),
    columns={"connection_id": "uuid", "pending": "integer", "failed_in_a_row": "integer", "running_run_id": "uuid"},
    cascades_from=("connection_id", SOURCE_CONNECTIONS),
)


def created(_entry: Columns, fact: ConnectionCreated) -> Iterable[Change]:
    row: dict[str, Value] = {
        "connection_id": fact.connection_id,
        "pending": 0,
        "failed_in_a_row": 0,
        "running_run_id": None,
    }
    return (Insert(CONNECTION_ACTIVITY, row),)


def recorded(_entry: Columns, fact: DlqEventRecorded) -> Iterable[Change]:
    return (_counted(fact.connection_id, 1),)


def resolved(_entry: Columns, fact: DlqEventResolved) -> Iterable[Change]:
    return (_counted(fact.connection_id, -1),)


def many_resolved(_entry: Columns, fact: DlqEventsResolved) -> Iterable[Change]:
    """The entry lists only dead letters that were pending."""
    return (_counted(fact.connection_id, -len(fact.ids)),)


def started(_entry: Columns, fact: SyncStarted) -> Iterable[Change]:
    return (Update(CONNECTION_ACTIVITY, (fact.connection_id,), {"running_run_id": fact.sync_run_id}),)


def completed(_entry: Columns, fact: SyncCompleted) -> Iterable[Change]:
    return (Update(CONNECTION_ACTIVITY, (fact.connection_id,), {"running_run_id": None, "failed_in_a_row": 0}),)


def failed(_entry: Columns, fact: SyncFailed) -> Iterable[Change]:
    return (Update(CONNECTION_ACTIVITY, (fact.connection_id,), {"running_run_id": None}, {"failed_in_a_row": 1}),)


def cancelled(_entry: Columns, fact: SyncCancelled) -> Iterable[Change]:
    return (Update(CONNECTION_ACTIVITY, (fact.connection_id,), {"running_run_id": None}),)


def _counted(connection_id: str, more: int) -> Update:
    return Update(CONNECTION_ACTIVITY, (connection_id,), {}, added={"pending": more})


RULES: Rules = {
    ConnectionCreated: created,
    DlqEventRecorded: recorded,
    DlqEventResolved: resolved,
    DlqEventsResolved: many_resolved,
    SyncStarted: started,
    SyncCompleted: completed,
    SyncFailed: failed,
    SyncCancelled: cancelled,
}
