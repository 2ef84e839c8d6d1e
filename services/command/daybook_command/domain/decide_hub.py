"""Decides the commands of the integration hub, and what its policies make of them. The actor may see the org."""

from typing import assert_never

from daybook_command.domain import alerts, connections, dead_letters, secret_refs, syncs
from daybook_command.domain.decision import Acceptance, Decision, DecisionContext, Rejection
from daybook_command.domain.evolve import evolve
from daybook_command.domain.hub_targets import (
    ConnectionCommand,
    DeadLetterCommand,
    HubCommand,
    SecretRefCommand,
    SyncCommand,
)
from daybook_command.domain.policies import Watched, policy_events
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


def decide_in_hub(command: HubCommand, org: Org, context: DecisionContext) -> Decision:
    decision = _decided(command, org, context)
    match decision:
        case Acceptance() if isinstance(command, Watched):
            return _with_policies(command, decision, org, context)
        case Acceptance() | Rejection():
            return decision
        case _:
            assert_never(decision)


def _with_policies(command: Watched, decision: Acceptance, org: Org, context: DecisionContext) -> Acceptance:
    after = org
    for event in decision.entries:
        after = evolve(after, command.actor_user_id, event.data)
    return Acceptance(decision.entries + policy_events(command, org, after, context))


def _decided(command: HubCommand, org: Org, context: DecisionContext) -> Decision:
    match command:
        case (
            CreateConnection() | UpdateConnection() | ActivateConnection() | DeactivateConnection() | DeleteConnection()
        ):
            return _decide_connection(command, org, context)
        case StartSync() | CompleteSync() | FailSync() | CancelSync():
            return _decide_sync(command, org, context)
        case RecordDlqEvent() | RetryDlqEvent() | ResolveDlqEvent() | RetryDlqEvents() | ResolveDlqEvents():
            return _decide_dead_letter(command, org, context)
        case RaiseAlert():
            return alerts.raise_alert(command, org, context)
        case ResolveAlert():
            return alerts.resolve_alert(command, org, context)
        case CreateSecretRef() | RotateSecretRef() | DeleteSecretRef():
            return _decide_secret_ref(command, org, context)
        case _:
            assert_never(command)


def _decide_connection(command: ConnectionCommand, org: Org, context: DecisionContext) -> Decision:
    match command:
        case CreateConnection():
            return connections.create_connection(command, org, context)
        case UpdateConnection():
            return connections.update_connection(command, org, context)
        case ActivateConnection():
            return connections.activate_connection(command, org, context)
        case DeactivateConnection():
            return connections.deactivate_connection(command, org, context)
        case DeleteConnection():
            return connections.delete_connection(command, org, context)
        case _:
            assert_never(command)


def _decide_sync(command: SyncCommand, org: Org, context: DecisionContext) -> Decision:
    match command:
        case StartSync():
            return syncs.start_sync(command, org, context)
        case CompleteSync():
            return syncs.complete_sync(command, org, context)
        case FailSync():
            return syncs.fail_sync(command, org, context)
        case CancelSync():
            return syncs.cancel_sync(command, org, context)
        case _:
            assert_never(command)


def _decide_dead_letter(command: DeadLetterCommand, org: Org, context: DecisionContext) -> Decision:
    match command:
        case RecordDlqEvent():
            return dead_letters.record_dlq_event(command, org, context)
        case RetryDlqEvent():
            return dead_letters.retry_dlq_event(command, org, context)
        case ResolveDlqEvent():
            return dead_letters.resolve_dlq_event(command, org, context)
        case RetryDlqEvents():
            return dead_letters.retry_dlq_events(command, org, context)
        case ResolveDlqEvents():
            return dead_letters.resolve_dlq_events(command, org, context)
        case _:
            assert_never(command)


def _decide_secret_ref(command: SecretRefCommand, org: Org, context: DecisionContext) -> Decision:
    match command:
        case CreateSecretRef():
            return secret_refs.create_secret_ref(command, org, context)
        case RotateSecretRef():
            return secret_refs.rotate_secret_ref(command, org, context)
        case DeleteSecretRef():
            return secret_refs.delete_secret_ref(command, org, context)
        case _:
            assert_never(command)
