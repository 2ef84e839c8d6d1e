"""What a command acts on: the columns its entries get. Enters: a command and the id a made thing gets."""

from dataclasses import dataclass
from typing import assert_never

import msgspec

from daybook_command.domain.built import BuiltCommand
from daybook_command.domain.decision import Accepted, Event
from daybook_contracts.commands import (
    AddMember,
    AddProjectMember,
    Command,
    CreateConnection,
    CreateOrg,
    CreateProject,
    CreateSecretRef,
    RaiseAlert,
    RecordDlqEvent,
    RegisterUser,
    RemoveMember,
    RemoveProjectMember,
    RenameOrg,
    RenameProject,
    StartSync,
    UpdateMember,
    UpdateProjectMember,
)


@dataclass(frozen=True, slots=True)
class Target:
    entity_type: str
    entity_id: str
    project_id: str | None = None


def target_of(command: BuiltCommand, new_id: str) -> Target:
    match command:
        case RegisterUser(data=data):
            return Target("user", data.user_id)
        case CreateOrg(org_id=org_id) | RenameOrg(org_id=org_id):
            return Target("org", org_id)
        case AddMember(data=data) | UpdateMember(data=data) | RemoveMember(data=data):
            return Target("org_member", data.user_id)
        case CreateProject(data=data):
            project_id = data.project_id or new_id
            return Target("project", project_id, project_id)
        case RenameProject(data=data):
            return Target("project", data.project_id, data.project_id)
        case AddProjectMember(data=data) | UpdateProjectMember(data=data) | RemoveProjectMember(data=data):
            return Target("project_member", data.user_id, data.project_id)
        case _:
            assert_never(command)


def accepted(command: BuiltCommand, new_id: str, data: msgspec.Struct) -> Accepted:
    """The one success entry of a command that changes only what it names."""
    target = target_of(command, new_id)
    return Accepted((Event(command.type, target.entity_type, target.entity_id, target.project_id, data),))


def users_named(command: Command) -> tuple[str, ...]:
    """The actor and the user that the data names, each once: all that `Facts.known_users` is asked for."""
    named = (command.actor_user_id, getattr(command.data, "user_id", None))
    return tuple(dict.fromkeys(user_id for user_id in named if user_id is not None))


def chosen_ids(command: Command) -> tuple[tuple[str, str], ...]:
    """The ids that a create chooses for itself, each with its table: all that `Facts.taken_ids` is asked for."""
    match command:
        case CreateProject(data=data):
            chosen = ("projects", data.project_id)
        case CreateConnection(data=data):
            chosen = ("source_connections", data.connection_id)
        case StartSync(data=data):
            chosen = ("sync_runs", data.sync_run_id)
        case RecordDlqEvent(data=data):
            chosen = ("dlq_events", data.dlq_event_id)
        case RaiseAlert(data=data):
            chosen = ("integration_alerts", data.alert_id)
        case CreateSecretRef(data=data):
            chosen = ("secret_refs", data.secret_ref_id)
        case _:
            return ()
    table, id_ = chosen
    return () if id_ is None else ((table, id_),)
