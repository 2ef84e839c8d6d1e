"""What a command acts on: the columns its entries get. Enters: a command, the id a made thing gets, its org."""

from collections.abc import Container, Mapping
from typing import Final

from daybook_command.domain.decision import Acceptance, DecisionContext, NewEntry
from daybook_command.domain.hub_targets import Target, hub_target_of
from daybook_command.domain.state import Org
from daybook_contracts.commands.members import AddMember, RemoveMember, UpdateMember
from daybook_contracts.commands.orgs import CreateOrg, RenameOrg
from daybook_contracts.commands.projects import (
    AddProjectMember,
    CreateProject,
    RemoveProjectMember,
    RenameProject,
    UpdateProjectMember,
)
from daybook_contracts.commands.registry import Command
from daybook_contracts.commands.users import RegisterUser
from daybook_contracts.entries.fields import Fact

__all__ = ["Target", "accepted", "chosen_ids", "is_taken", "target_of", "users_named"]

_CHOSEN: Final[Mapping[str, tuple[str, str]]] = {
    "CREATE_PROJECT": ("projects", "project_id"),
    "CREATE_CONNECTION": ("source_connections", "connection_id"),
    "START_SYNC": ("sync_runs", "sync_run_id"),
    "RECORD_DLQ_EVENT": ("dlq_events", "dlq_event_id"),
    "RAISE_ALERT": ("integration_alerts", "alert_id"),
    "CREATE_SECRET_REF": ("secret_refs", "secret_ref_id"),
}
"""Of each create whose id a service may choose: the table it must be free in, and the field."""


def target_of(command: Command, new_id: str, org: Org | None) -> Target:
    """`org` says in which project a thing of the hub is: None for what is not there."""
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
            return hub_target_of(command, new_id, org)


def accepted(command: Command, org: Org | None, context: DecisionContext, fact: Fact) -> Acceptance:
    """The one success entry of a command that changes only what it names."""
    target = target_of(command, context.new_id, org)
    return Acceptance((NewEntry(command.type, target.entity_type, target.entity_id, target.project_id, fact),))


def users_named(command: Command) -> tuple[str, ...]:
    """The actor and the user that the data names, each once: all that `DecisionContext.known_users` is asked for."""
    named = (command.actor_user_id, getattr(command.data, "user_id", None))
    return tuple(dict.fromkeys(user_id for user_id in named if user_id is not None))


def chosen_ids(command: Command) -> tuple[tuple[str, str], ...]:
    """The ids that a create chooses for itself, each with its table: what `taken_ids` is asked for."""
    if command.type not in _CHOSEN:
        return ()
    table, name = _CHOSEN[command.type]
    id_: str | None = getattr(command.data, name)
    return () if id_ is None else ((table, id_),)


def is_taken(id_: str, here: Container[str], context: DecisionContext) -> bool:
    """Whether what a create makes cannot have this id: the org has such a thing already, or another org the id."""
    return id_ in here or id_ in context.taken_ids
