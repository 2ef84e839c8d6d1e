"""Source connections: the sources that projects are connected to, and their configs."""

from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec
from immutables import Map
from msgspec import UNSET, Raw, Struct
from msgspec.structs import replace

from daybook_command.domain import rejections
from daybook_command.domain.activity import (
    Activity,
    ConnectionCommand,
    NamesConnection,
    activity_of,
    project_of,
    touched_connection,
)
from daybook_command.domain.decision import DecisionContext, Rejection
from daybook_command.domain.handlers import OrgFold, Ruling, Target, Thing, ThingHandler, is_taken
from daybook_command.domain.permissions import PROJECT_ADMINS, Acting, Standings, project_standings
from daybook_command.domain.projects import Project, find_project, rights_in_project
from daybook_command.domain.references import Named, chosen_id, optional_id
from daybook_command.domain.state import Org
from daybook_contracts.commands.connections import (
    ActivateConnection,
    CreateConnection,
    DeactivateConnection,
    DeleteConnection,
    UpdateConnection,
)
from daybook_contracts.connection_types.configs import InvalidConfig, checked_config, key_names_of
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import free_json, unless_none
from daybook_contracts.limits import ORG_CONNECTIONS


class Connection(Struct, frozen=True, gc=False):
    project_id: str
    type: str
    name: str
    active: bool
    key_names: frozenset[str]
    """The key_names of the secret references that the config names."""
    activity: Activity | None = None
    """None if not loaded: a connection's activity is looked up only when a command names the connection."""


Child = TypeVar("Child", bound=NamesConnection)


def _new_connection(command: CreateConnection, new_id: str, _org: Org | None) -> Target:
    return Target("source_connection", command.data.connection_id or new_id, command.data.project_id)


def connection_target(command: ConnectionCommand, _new_id: str, org: Org | None) -> Target:
    connection_id = command.data.connection_id
    return Target("source_connection", connection_id, project_of(org, connection_id))


def _named_by_create(command: CreateConnection) -> Named:
    connection_id = command.data.connection_id
    return Named(connections=optional_id(connection_id), chosen=chosen_id("source_connections", connection_id))


def names_connection(command: ConnectionCommand) -> Named:
    return Named(connections=(command.data.connection_id,))


def rights_on_connection(command: Acting, org: Org, connection: Connection) -> Standings:
    return project_standings(command, org, connection.project_id)


def find_connection(command: ConnectionCommand, org: Org) -> Connection | Rejection:
    return org.connections.get(command.data.connection_id, rejections.CONNECTION_NOT_FOUND)


def create_connection(command: CreateConnection, org: Org, _project: Project, context: DecisionContext) -> Ruling:
    data = command.data
    config = _check_config(data.type, data.config, org)
    if isinstance(config, Rejection):
        return config
    connection_id = data.connection_id or context.new_id
    if is_taken(connection_id, org.connections, context):
        return rejections.ID_TAKEN
    if len(org.connections) >= ORG_CONNECTIONS:
        return rejections.CONNECTIONS_LIMIT
    return facts.ConnectionCreated(
        config=config, connection_id=connection_id, name=data.name, project_id=data.project_id, type=data.type
    )


def update_connection(command: UpdateConnection, org: Org, connection: Connection, _context: DecisionContext) -> Ruling:
    data = command.data
    config = None if data.config is None else _check_config(connection.type, data.config, org)
    if isinstance(config, Rejection):
        return config
    same_name = data.name in {None, connection.name}
    unchanged = same_name and (config is None or _digest(config) == activity_of(org, data.connection_id).config)
    return facts.ConnectionUpdated(
        changed=False if unchanged else UNSET,
        config=unless_none(config),
        connection_id=data.connection_id,
        name=unless_none(data.name),
    )


def activate_connection(
    command: ActivateConnection, _org: Org, connection: Connection, _context: DecisionContext
) -> Ruling:
    changed = False if connection.active else UNSET
    reason = unless_none(command.data.reason)
    return facts.ConnectionActivated(changed=changed, connection_id=command.data.connection_id, reason=reason)


def deactivate_connection(
    command: DeactivateConnection, _org: Org, connection: Connection, _context: DecisionContext
) -> Ruling:
    """A run in progress continues."""
    changed = UNSET if connection.active else False
    reason = unless_none(command.data.reason)
    return facts.ConnectionDeactivated(changed=changed, connection_id=command.data.connection_id, reason=reason)


def delete_connection(
    command: DeleteConnection, org: Org, _connection: Connection, _context: DecisionContext
) -> Ruling:
    if activity_of(org, command.data.connection_id).running is not None:
        return rejections.SYNC_ALREADY_RUNNING
    return facts.ConnectionDeleted(connection_id=command.data.connection_id)


def _check_config(type_: str, config: dict[str, Any], org: Org) -> Raw | Rejection:
    """The config for the entry. A rejection if it does not fit the type, or names a secret reference that the org does
    not have.
    """
    try:
        checked = checked_config(type_, config)
    except InvalidConfig as fault:
        return rejections.invalid_config(fault.detail)
    if any(key_name not in org.key_names for key_name in key_names_of(checked)):
        return rejections.KEY_NAME_NOT_FOUND
    return free_json(checked)


def _digest(config: Raw) -> bytes:
    return sha256(bytes(config)).digest()


def _key_names(config: Raw) -> frozenset[str]:
    return key_names_of(msgspec.json.decode(config))


def _created(org: Org, fact: facts.ConnectionCreated) -> Org:
    """The new connection's activity is known: it has no runs and no dead letters."""
    created = Connection(
        project_id=fact.project_id,
        type=fact.type,
        name=fact.name,
        active=True,
        key_names=_key_names(fact.config),
        activity=Activity(config=_digest(fact.config)),
    )
    return _with_connection(org, fact.connection_id, created)


def _updated(org: Org, fact: facts.ConnectionUpdated) -> Org:
    connection = org.connections[fact.connection_id]
    if fact.name is not UNSET:
        connection = replace(connection, name=fact.name)
    if fact.config is not UNSET:
        activity = connection.activity and replace(connection.activity, config=_digest(fact.config))
        connection = replace(connection, key_names=_key_names(fact.config), activity=activity)
    return _with_connection(org, fact.connection_id, connection)


def _activated(org: Org, fact: facts.ConnectionActivated) -> Org:
    return _with_connection(org, fact.connection_id, replace(org.connections[fact.connection_id], active=True))


def _deactivated(org: Org, fact: facts.ConnectionDeactivated) -> Org:
    return _with_connection(org, fact.connection_id, replace(org.connections[fact.connection_id], active=False))


def _deleted(org: Org, fact: facts.ConnectionDeleted) -> Org:
    """Deletes the connection's runs and dead letters too. Its alerts are resolved by other entries."""
    return replace(
        org,
        connections=org.connections.delete(fact.connection_id),
        runs=_without_children_of(fact.connection_id, org.runs),
        dead_letters=_without_children_of(fact.connection_id, org.dead_letters),
    )


def _without_children_of(connection_id: str, children: Map[str, Child]) -> Map[str, Child]:
    for id_, child in children.items():
        if child.connection_id == connection_id:
            children = children.delete(id_)
    return children


def _with_connection(org: Org, connection_id: str, connection: Connection) -> Org:
    return replace(org, connections=org.connections.set(connection_id, connection))


_NEW_CONNECTION = Thing(_new_connection, _named_by_create, find=find_project, rights=rights_in_project)
_CONNECTION = Thing(connection_target, names_connection, find=find_connection, rights=rights_on_connection)

HANDLERS: Final = (
    ThingHandler(CreateConnection, PROJECT_ADMINS, _NEW_CONNECTION, create_connection),
    ThingHandler(UpdateConnection, PROJECT_ADMINS, _CONNECTION, update_connection),
    ThingHandler(ActivateConnection, PROJECT_ADMINS, _CONNECTION, activate_connection),
    ThingHandler(DeactivateConnection, PROJECT_ADMINS, _CONNECTION, deactivate_connection),
    ThingHandler(DeleteConnection, PROJECT_ADMINS, _CONNECTION, delete_connection),
)
FOLDS: Final = (
    OrgFold(facts.ConnectionCreated, _created, touches=touched_connection),
    OrgFold(facts.ConnectionUpdated, _updated, touches=touched_connection),
    OrgFold(facts.ConnectionActivated, _activated, touches=touched_connection),
    OrgFold(facts.ConnectionDeactivated, _deactivated, touches=touched_connection),
    OrgFold(facts.ConnectionDeleted, _deleted, touches=touched_connection, deletes=lambda fact: (fact.connection_id,)),
)
