"""All commands: as one union, and by type. To add a command, add its model to the union."""

from collections.abc import Mapping
from types import MappingProxyType, UnionType
from typing import Annotated, get_args

from pydantic import Field

from daybook_contracts.commands import (
    alerts,
    connections,
    dead_letters,
    members,
    orgs,
    projects,
    secret_refs,
    syncs,
    users,
)

Command = (
    users.RegisterUser
    | orgs.CreateOrg
    | orgs.RenameOrg
    | members.AddMember
    | members.UpdateMember
    | members.RemoveMember
    | projects.CreateProject
    | projects.RenameProject
    | projects.AddProjectMember
    | projects.UpdateProjectMember
    | projects.RemoveProjectMember
    | connections.CreateConnection
    | connections.UpdateConnection
    | connections.ActivateConnection
    | connections.DeactivateConnection
    | connections.DeleteConnection
    | syncs.StartSync
    | syncs.CompleteSync
    | syncs.FailSync
    | syncs.CancelSync
    | dead_letters.RecordDlqEvent
    | dead_letters.RetryDlqEvent
    | dead_letters.ResolveDlqEvent
    | dead_letters.RetryDlqEvents
    | dead_letters.ResolveDlqEvents
    | alerts.RaiseAlert
    | alerts.ResolveAlert
    | secret_refs.CreateSecretRef
    | secret_refs.RotateSecretRef
    | secret_refs.DeleteSecretRef
)

AnyCommand = Annotated[Command, Field(discriminator="type")]
"""The union for JSON Schema and OpenAPI."""


def _by_type(union: UnionType) -> dict[str, type[Command]]:
    models: tuple[type[Command], ...] = get_args(union)
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in models}


COMMANDS: Mapping[str, type[Command]] = MappingProxyType(_by_type(Command))
"""The model of each command type, in the order of the documentation."""
