"""Decides on source connections: what a project is connected to, and how it is configured."""

from hashlib import sha256
from typing import Any

from msgspec import UNSET, Raw

from daybook_command.domain import rejections
from daybook_command.domain.children import activity_of
from daybook_command.domain.decision import Decision, DecisionContext, Rejection
from daybook_command.domain.permissions import in_project, may, may_choose, may_on
from daybook_command.domain.state import Connection, Org
from daybook_command.domain.targets import accepted, is_taken
from daybook_contracts.commands.connections import (
    ActivateConnection,
    CreateConnection,
    DeactivateConnection,
    DeleteConnection,
    UpdateConnection,
)
from daybook_contracts.connection_types.configs import InvalidConfig, checked_config, key_names_of
from daybook_contracts.entries.facts import (
    ConnectionActivated,
    ConnectionCreated,
    ConnectionDeactivated,
    ConnectionDeleted,
    ConnectionUpdated,
)
from daybook_contracts.entries.fields import free_json, unless_none
from daybook_contracts.limits import ORG_CONNECTIONS

OfConnection = UpdateConnection | ActivateConnection | DeactivateConnection | DeleteConnection


def create_connection(command: CreateConnection, org: Org, context: DecisionContext) -> Decision:
    data, chosen = command.data, command.data.connection_id
    project = org.projects.get(data.project_id)
    if project is None:
        return rejections.PROJECT_NOT_FOUND
    if not may(command.type, in_project(org, project, command.actor_user_id)):
        return rejections.FORBIDDEN
    if not may_choose(chosen, context.principal):
        return rejections.CHOSEN_ID
    config = _config(data.type, data.config, org)
    if isinstance(config, Rejection):
        return config
    connection_id = chosen or context.new_id
    if is_taken(connection_id, org.connections, context):
        return rejections.ID_TAKEN
    if len(org.connections) >= ORG_CONNECTIONS:
        return rejections.CONNECTIONS_LIMIT
    created = ConnectionCreated(
        config=config, connection_id=connection_id, name=data.name, project_id=data.project_id, type=data.type
    )
    return accepted(command, org, context, created)


def update_connection(command: UpdateConnection, org: Org, context: DecisionContext) -> Decision:
    connection_id, name = command.data.connection_id, command.data.name
    connection = _found(command, org)
    if isinstance(connection, Rejection):
        return connection
    config: Raw | None = None
    if command.data.config is not None:
        checked = _config(connection.type, command.data.config, org)
        if isinstance(checked, Rejection):
            return checked
        config = checked
    same = name in {None, connection.name} and (config is None or _is_config(config, org, command.data.connection_id))
    updated = ConnectionUpdated(
        changed=False if same else UNSET,
        config=unless_none(config),
        connection_id=connection_id,
        name=unless_none(name),
    )
    return accepted(command, org, context, updated)


def activate_connection(command: ActivateConnection, org: Org, context: DecisionContext) -> Decision:
    return _switched(command, org, context, ConnectionActivated, active=True)


def deactivate_connection(command: DeactivateConnection, org: Org, context: DecisionContext) -> Decision:
    """A run that is under way goes on."""
    return _switched(command, org, context, ConnectionDeactivated, active=False)


def _switched(
    command: ActivateConnection | DeactivateConnection,
    org: Org,
    context: DecisionContext,
    fact: type[ConnectionActivated | ConnectionDeactivated],
    *,
    active: bool,
) -> Decision:
    connection = _found(command, org)
    if isinstance(connection, Rejection):
        return connection
    changed = False if connection.active is active else UNSET
    reason = unless_none(command.data.reason)
    return accepted(
        command, org, context, fact(changed=changed, connection_id=command.data.connection_id, reason=reason)
    )


def delete_connection(command: DeleteConnection, org: Org, context: DecisionContext) -> Decision:
    connection = _found(command, org)
    if isinstance(connection, Rejection):
        return connection
    if activity_of(org, command.data.connection_id).running is not None:
        return rejections.SYNC_ALREADY_RUNNING
    return accepted(command, org, context, ConnectionDeleted(connection_id=command.data.connection_id))


def _found(command: OfConnection, org: Org) -> Connection | Rejection:
    """The connection that is acted on, if it is there and the actor may."""
    connection = org.connections.get(command.data.connection_id)
    if connection is None:
        return rejections.CONNECTION_NOT_FOUND
    return connection if may_on(command, org, connection) else rejections.FORBIDDEN


def _config(type_: str, config: dict[str, Any], org: Org) -> Raw | Rejection:
    """The config as the entry holds it, if it fits its type and names only secret references of the org."""
    try:
        checked = checked_config(type_, config)
    except InvalidConfig as fault:
        return rejections.invalid_config(fault.detail)
    if any(key_name not in org.key_names for key_name in key_names_of(checked)):
        return rejections.KEY_NAME_NOT_FOUND
    return free_json(checked)


def _is_config(config: Raw, org: Org, connection_id: str) -> bool:
    return sha256(bytes(config)).digest() == activity_of(org, connection_id).config
