"""What a command of the integration hub acts on. Enters: a command, the id a made thing gets, its org."""

from dataclasses import dataclass
from typing import assert_never

from daybook_command.domain.state import Org
from daybook_contracts.commands.alerts import RaiseAlert, ResolveAlert
from daybook_contracts.commands.connections import (
    ActivateConnection,
    CreateConnection,
    DeactivateConnection,
    DeleteConnection,
    UpdateConnection,
)
from daybook_contracts.commands.dead_letters import (
    RecordDlqEvent,
    ResolveDlqEvent,
    ResolveDlqEvents,
    RetryDlqEvent,
    RetryDlqEvents,
)
from daybook_contracts.commands.secret_refs import CreateSecretRef, DeleteSecretRef, RotateSecretRef
from daybook_contracts.commands.syncs import CancelSync, CompleteSync, FailSync, StartSync

ConnectionCommand = CreateConnection | UpdateConnection | ActivateConnection | DeactivateConnection | DeleteConnection
SyncCommand = StartSync | CompleteSync | FailSync | CancelSync
BulkCommand = RetryDlqEvents | ResolveDlqEvents
DeadLetterCommand = RecordDlqEvent | RetryDlqEvent | ResolveDlqEvent | BulkCommand
AlertCommand = RaiseAlert | ResolveAlert
SecretRefCommand = CreateSecretRef | RotateSecretRef | DeleteSecretRef
HubCommand = ConnectionCommand | SyncCommand | DeadLetterCommand | AlertCommand | SecretRefCommand


@dataclass(frozen=True, slots=True)
class Target:
    entity_type: str
    entity_id: str
    project_id: str | None = None


def hub_target_of(command: HubCommand, new_id: str, org: Org | None) -> Target:
    match command:
        case CreateConnection(data=data):
            return Target("source_connection", data.connection_id or new_id, data.project_id)
        case UpdateConnection() | ActivateConnection() | DeactivateConnection() | DeleteConnection():
            return _connection(org, command.data.connection_id)
        case RetryDlqEvents(data=data) | ResolveDlqEvents(data=data):
            return _connection(org, data.connection_id)
        case StartSync(data=data):
            return Target("sync_run", data.sync_run_id or new_id, _project_of(org, data.connection_id))
        case CompleteSync(data=data) | FailSync(data=data) | CancelSync(data=data):
            return _run(org, data.sync_run_id)
        case RecordDlqEvent(data=data):
            return Target("dlq_event", data.dlq_event_id or new_id, _project_of(org, data.connection_id))
        case RetryDlqEvent(data=data) | ResolveDlqEvent(data=data):
            return _dead_letter(org, data.dlq_event_id)
        case RaiseAlert(data=data):
            return Target("integration_alert", data.alert_id or new_id, data.project_id)
        case ResolveAlert(data=data):
            return _alert(org, data.alert_id)
        case CreateSecretRef(data=data):
            return Target("secret_ref", data.secret_ref_id or new_id)
        case RotateSecretRef(data=data) | DeleteSecretRef(data=data):
            return Target("secret_ref", data.secret_ref_id)
        case _:
            assert_never(command)


def _connection(org: Org | None, connection_id: str) -> Target:
    return Target("source_connection", connection_id, _project_of(org, connection_id))


def _run(org: Org | None, sync_run_id: str) -> Target:
    run = None if org is None else org.runs.get(sync_run_id)
    return Target("sync_run", sync_run_id, _project_of(org, run.connection_id) if run else None)


def _dead_letter(org: Org | None, dlq_event_id: str) -> Target:
    letter = None if org is None else org.dead_letters.get(dlq_event_id)
    return Target("dlq_event", dlq_event_id, _project_of(org, letter.connection_id) if letter else None)


def _alert(org: Org | None, alert_id: str) -> Target:
    alert = None if org is None else org.alerts.get(alert_id)
    return Target("integration_alert", alert_id, alert.project_id if alert else None)


def _project_of(org: Org | None, connection_id: str) -> str | None:
    connection = None if org is None else org.connections.get(connection_id)
    return connection.project_id if connection else None
