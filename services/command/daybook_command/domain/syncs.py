"""Decides on sync runs: an active connection has one at a time, and what has ended stays as it ended."""

from daybook_command.domain import rejections
from daybook_command.domain.children import activity_of
from daybook_command.domain.decision import Decision, DecisionContext, Rejection
from daybook_command.domain.permissions import may_choose, may_on
from daybook_command.domain.state import Org, Run
from daybook_command.domain.targets import accepted, is_taken
from daybook_contracts.commands.syncs import CancelSync, CompleteSync, FailSync, StartSync
from daybook_contracts.entries.facts import SyncCancelled, SyncCompleted, SyncFailed, SyncStarted
from daybook_contracts.entries.fields import free_json, unless_none


def start_sync(command: StartSync, org: Org, context: DecisionContext) -> Decision:
    connection_id, chosen = command.data.connection_id, command.data.sync_run_id
    sync_run_id = chosen or context.new_id
    connection = org.connections.get(connection_id)
    if connection is None:
        return rejections.CONNECTION_NOT_FOUND
    if not may_on(command, org, connection):
        return rejections.FORBIDDEN
    if not may_choose(chosen, context.principal):
        return rejections.CHOSEN_ID
    if is_taken(sync_run_id, org.runs, context):
        return rejections.ID_TAKEN
    if not connection.active:
        return rejections.CONNECTION_INACTIVE
    if activity_of(org, connection_id).running is not None:
        return rejections.SYNC_ALREADY_RUNNING
    return accepted(command, org, context, SyncStarted(connection_id=connection_id, sync_run_id=sync_run_id))


def complete_sync(command: CompleteSync, org: Org, context: DecisionContext) -> Decision:
    sync_run_id, stats = command.data.sync_run_id, command.data.stats
    run = _running(command, org)
    if isinstance(run, Rejection):
        return run
    told = unless_none(None if stats is None else free_json(stats))
    completed = SyncCompleted(connection_id=run.connection_id, sync_run_id=sync_run_id, stats=told)
    return accepted(command, org, context, completed)


def fail_sync(command: FailSync, org: Org, context: DecisionContext) -> Decision:
    sync_run_id, error_message = command.data.sync_run_id, command.data.error_message
    run = _running(command, org)
    if isinstance(run, Rejection):
        return run
    failed = SyncFailed(connection_id=run.connection_id, sync_run_id=sync_run_id, error_message=error_message)
    return accepted(command, org, context, failed)


def cancel_sync(command: CancelSync, org: Org, context: DecisionContext) -> Decision:
    sync_run_id, reason = command.data.sync_run_id, command.data.reason
    run = _running(command, org)
    if isinstance(run, Rejection):
        return run
    cancelled = SyncCancelled(connection_id=run.connection_id, sync_run_id=sync_run_id, reason=unless_none(reason))
    return accepted(command, org, context, cancelled)


def _running(command: CompleteSync | FailSync | CancelSync, org: Org) -> Run | Rejection:
    """The run that the command may end. Of a deleted connection the tables may still have runs: they are gone."""
    run = org.runs.get(command.data.sync_run_id)
    connection = None if run is None else org.connections.get(run.connection_id)
    if run is None or connection is None:
        return rejections.SYNC_RUN_NOT_FOUND
    if not may_on(command, org, connection):
        return rejections.FORBIDDEN
    if run.status != "running":
        return rejections.SYNC_NOT_RUNNING
    return run
