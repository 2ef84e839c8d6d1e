"""Decides the commands of the integration hub, and what its policies make of them. The actor may see the org."""

from typing import assert_never

from daybook_command.domain import alerts, connections, dead_letters, secret_refs, syncs
from daybook_command.domain.decision import Accepted, Decision, Facts, Rejected
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


def decide_in_hub(command: HubCommand, org: Org, facts: Facts) -> Decision:
    decision = _decided(command, org, facts)
    match decision:
        case Accepted() if isinstance(command, Watched):
            return _with_policies(command, decision, org, facts)
        case Accepted() | Rejected():
            return decision
        case _:
            assert_never(decision)


def _with_policies(command: Watched, decision: Accepted, org: Org, facts: Facts) -> Accepted:
    after = org
    for event in decision.events:
        after = evolve(after, command.actor_user_id, event.data)
    return Accepted(decision.events + policy_events(command, org, after, facts))


def _decided(command: HubCommand, org: Org, facts: Facts) -> Decision:
    match command:
        case (
            CreateConnection() | UpdateConnection() | ActivateConnection() | DeactivateConnection() | DeleteConnection()
        ):
            return _decide_connection(command, org, facts)
        case StartSync() | CompleteSync() | FailSync() | CancelSync():
            return _decide_sync(command, org, facts)
        case RecordDlqEvent() | RetryDlqEvent() | ResolveDlqEvent() | RetryDlqEvents() | ResolveDlqEvents():
            return _decide_dead_letter(command, org, facts)
        case RaiseAlert():
            return alerts.raise_alert(command, org, facts)
        case ResolveAlert():
            return alerts.resolve_alert(command, org, facts)
        case CreateSecretRef() | RotateSecretRef() | DeleteSecretRef():
            return _decide_secret_ref(command, org, facts)
        case _:
            assert_never(command)


def _decide_connection(command: ConnectionCommand, org: Org, facts: Facts) -> Decision:
    match command:
        case CreateConnection():
            return connections.create_connection(command, org, facts)
        case UpdateConnection():
            return connections.update_connection(command, org, facts)
        case ActivateConnection():
            return connections.activate_connection(command, org, facts)
        case DeactivateConnection():
            return connections.deactivate_connection(command, org, facts)
        case DeleteConnection():
            return connections.delete_connection(command, org, facts)
        case _:
            assert_never(command)


def _decide_sync(command: SyncCommand, org: Org, facts: Facts) -> Decision:
    match command:
        case StartSync():
            return syncs.start_sync(command, org, facts)
        case CompleteSync():
            return syncs.complete_sync(command, org, facts)
        case FailSync():
            return syncs.fail_sync(command, org, facts)
        case CancelSync():
            return syncs.cancel_sync(command, org, facts)
        case _:
            assert_never(command)


def _decide_dead_letter(command: DeadLetterCommand, org: Org, facts: Facts) -> Decision:
    match command:
        case RecordDlqEvent():
            return dead_letters.record_dlq_event(command, org, facts)
        case RetryDlqEvent():
            return dead_letters.retry_dlq_event(command, org, facts)
        case ResolveDlqEvent():
            return dead_letters.resolve_dlq_event(command, org, facts)
        case RetryDlqEvents():
            return dead_letters.retry_dlq_events(command, org, facts)
        case ResolveDlqEvents():
            return dead_letters.resolve_dlq_events(command, org, facts)
        case _:
            assert_never(command)


def _decide_secret_ref(command: SecretRefCommand, org: Org, facts: Facts) -> Decision:
    match command:
        case CreateSecretRef():
            return secret_refs.create_secret_ref(command, org, facts)
        case RotateSecretRef():
            return secret_refs.rotate_secret_ref(command, org, facts)
        case DeleteSecretRef():
            return secret_refs.delete_secret_ref(command, org, facts)
        case _:
            assert_never(command)
