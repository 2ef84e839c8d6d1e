"""Sync runs. A connection has at most one running run, and a run that has ended never changes."""

from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from daybook_command.domain import rejections
from daybook_command.domain.activity import Activity, activity_of, project_of, rights_on_child, with_activity
from daybook_command.domain.connections import Connection, find_connection, rights_on_connection
from daybook_command.domain.decision import DecisionContext, Rejection
from daybook_command.domain.handlers import OrgFold, Ruling, Target, Thing, ThingHandler, is_taken
from daybook_command.domain.permissions import EDITORS_AND_SERVICES
from daybook_command.domain.references import ChildKind, ChildRef, Named, chosen_id, optional_id
from daybook_command.domain.state import Org
from daybook_contracts.commands.syncs import CancelSync, CompleteSync, FailSync, StartSync
from daybook_contracts.entries.facts import SyncCancelled, SyncCompleted, SyncFailed, SyncStarted
from daybook_contracts.entries.fields import free_json, unless_none

EndSync = CompleteSync | FailSync | CancelSync
SyncEnded = SyncCompleted | SyncFailed | SyncCancelled
Status = Literal["running", "success", "failed", "cancelled"]


class Run(Struct, frozen=True, gc=False):
    connection_id: str
    status: Status


def _new_run(command: StartSync, new_id: str, org: Org | None) -> Target:
    data = command.data
    return Target("sync_run", data.sync_run_id or new_id, project_of(org, data.connection_id))


def _target(command: EndSync, _new_id: str, org: Org | None) -> Target:
    run = None if org is None else org.runs.get(command.data.sync_run_id)
    return Target("sync_run", command.data.sync_run_id, None if run is None else project_of(org, run.connection_id))


def _named_by_start(command: StartSync) -> Named:
    connection_id, sync_run_id = command.data.connection_id, command.data.sync_run_id
    return Named(
        connections=(connection_id,), runs=optional_id(sync_run_id), chosen=chosen_id("sync_runs", sync_run_id)
    )


def _named(command: EndSync) -> Named:
    return Named(runs=(command.data.sync_run_id,))


def _find_run(command: EndSync, org: Org) -> Run | Rejection:
    """A run of a deleted connection counts as deleted, even if the tables still have it."""
    run = org.runs.get(command.data.sync_run_id)
    return rejections.SYNC_RUN_NOT_FOUND if run is None or run.connection_id not in org.connections else run


def start_sync(command: StartSync, org: Org, connection: Connection, context: DecisionContext) -> Ruling:
    connection_id = command.data.connection_id
    sync_run_id = command.data.sync_run_id or context.new_id
    if is_taken(sync_run_id, org.runs, context):
        return rejections.ID_TAKEN
    if not connection.active:
        return rejections.CONNECTION_INACTIVE
    if activity_of(org, connection_id).running is not None:
        return rejections.SYNC_ALREADY_RUNNING
    return SyncStarted(connection_id=connection_id, sync_run_id=sync_run_id)


def complete_sync(command: CompleteSync, _org: Org, run: Run, _context: DecisionContext) -> Ruling:
    if run.status != "running":
        return rejections.SYNC_NOT_RUNNING
    stats = unless_none(None if command.data.stats is None else free_json(command.data.stats))
    return SyncCompleted(connection_id=run.connection_id, sync_run_id=command.data.sync_run_id, stats=stats)


def fail_sync(command: FailSync, _org: Org, run: Run, _context: DecisionContext) -> Ruling:
    if run.status != "running":
        return rejections.SYNC_NOT_RUNNING
    sync_run_id, error_message = command.data.sync_run_id, command.data.error_message
    return SyncFailed(connection_id=run.connection_id, sync_run_id=sync_run_id, error_message=error_message)


def cancel_sync(command: CancelSync, _org: Org, run: Run, _context: DecisionContext) -> Ruling:
    if run.status != "running":
        return rejections.SYNC_NOT_RUNNING
    sync_run_id, reason = command.data.sync_run_id, unless_none(command.data.reason)
    return SyncCancelled(connection_id=run.connection_id, sync_run_id=sync_run_id, reason=reason)


def _touches(fact: SyncStarted | SyncEnded) -> tuple[ChildRef, ...]:
    return ChildRef(ChildKind.CONNECTION, fact.connection_id), ChildRef(ChildKind.RUN, fact.sync_run_id)


def _started(org: Org, fact: SyncStarted) -> Org:
    busy = with_activity(org, fact.connection_id, lambda was: replace(was, running=fact.sync_run_id))
    return replace(busy, runs=org.runs.set(fact.sync_run_id, Run(fact.connection_id, "running")))


def _completed(org: Org, fact: SyncCompleted) -> Org:
    return _ended(org, fact, "success", lambda _: 0)


def _failed(org: Org, fact: SyncFailed) -> Org:
    return _ended(org, fact, "failed", lambda was: was.failures + 1)


def _cancelled(org: Org, fact: SyncCancelled) -> Org:
    return _ended(org, fact, "cancelled", lambda was: was.failures)


def _ended(org: Org, fact: SyncEnded, status: Status, failures: Callable[[Activity], int]) -> Org:
    ended = replace(org.runs[fact.sync_run_id], status=status)
    idle = with_activity(org, fact.connection_id, lambda was: replace(was, running=None, failures=failures(was)))
    return replace(idle, runs=org.runs.set(fact.sync_run_id, ended))


_NEW_RUN = Thing(_new_run, _named_by_start, find=find_connection, rights=rights_on_connection)
_RUN = Thing(_target, _named, find=_find_run, rights=rights_on_child)

HANDLERS: Final = (
    ThingHandler(StartSync, EDITORS_AND_SERVICES, _NEW_RUN, start_sync),
    ThingHandler(CompleteSync, EDITORS_AND_SERVICES, _RUN, complete_sync),
    ThingHandler(FailSync, EDITORS_AND_SERVICES, _RUN, fail_sync),
    ThingHandler(CancelSync, EDITORS_AND_SERVICES, _RUN, cancel_sync),
)
FOLDS: Final = (
    OrgFold(SyncStarted, _started, touches=_touches),
    OrgFold(SyncCompleted, _completed, touches=_touches),
    OrgFold(SyncFailed, _failed, touches=_touches),
    OrgFold(SyncCancelled, _cancelled, touches=_touches),
)
