"""Every command there is, as one union and by type."""

from collections.abc import Mapping
from types import MappingProxyType, UnionType
from typing import Annotated, get_args

from pydantic import Field

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
from daybook_contracts.commands.members import AddMember, RemoveMember, UpdateMember
from daybook_contracts.commands.orgs import CreateOrg, RenameOrg
from daybook_contracts.commands.projects import (
    AddProjectMember,
    CreateProject,
    RemoveProjectMember,
    RenameProject,
    UpdateProjectMember,
)
from daybook_contracts.commands.secret_refs import CreateSecretRef, DeleteSecretRef, RotateSecretRef
from daybook_contracts.commands.syncs import CancelSync, CompleteSync, FailSync, StartSync
from daybook_contracts.commands.users import RegisterUser

Command = (
    RegisterUser
    | CreateOrg
    | RenameOrg
    | AddMember
    | UpdateMember
    | RemoveMember
    | CreateProject
    | RenameProject
    | AddProjectMember
    | UpdateProjectMember
    | RemoveProjectMember
    | CreateConnection
    | UpdateConnection
    | ActivateConnection
    | DeactivateConnection
    | DeleteConnection
    | StartSync
    | CompleteSync
    | FailSync
    | CancelSync
    | RecordDlqEvent
    | RetryDlqEvent
    | ResolveDlqEvent
    | RetryDlqEvents
    | ResolveDlqEvents
    | RaiseAlert
    | ResolveAlert
    | CreateSecretRef
    | RotateSecretRef
    | DeleteSecretRef
)

AnyCommand = Annotated[Command, Field(discriminator="type")]
"""For JSON Schema and OpenAPI."""


def _by_type(union: UnionType) -> dict[str, type[Command]]:
    models: tuple[type[Command], ...] = get_args(union)
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in models}


COMMANDS: Mapping[str, type[Command]] = MappingProxyType(_by_type(Command))
"""The model of each command type, in the order of the documentation."""
