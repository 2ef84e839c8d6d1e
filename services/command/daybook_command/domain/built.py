"""The commands that are decided today. The doors refuse every other type as INVALID_COMMAND."""

from typing import Final, TypeGuard

from daybook_command.domain.permissions import MAY
from daybook_contracts.commands import (
    AddMember,
    AddProjectMember,
    Command,
    CreateOrg,
    CreateProject,
    RegisterUser,
    RemoveMember,
    RemoveProjectMember,
    RenameOrg,
    RenameProject,
    UpdateMember,
    UpdateProjectMember,
)

ProjectCommand = RenameProject | AddProjectMember | UpdateProjectMember | RemoveProjectMember
OrgCommand = RenameOrg | AddMember | UpdateMember | RemoveMember | CreateProject | ProjectCommand
BuiltCommand = RegisterUser | CreateOrg | OrgCommand

BUILT: Final = frozenset(MAY)
"""A command without a row in the table of rights cannot be decided."""


class NotBuilt(ValueError):
    """A command that nobody decides today got past the doors."""


def built(command: Command) -> BuiltCommand:
    """The command, known to be one of those decided here; raises NotBuilt."""
    if not _is_built(command):
        raise NotBuilt(command.type)
    return command


def _is_built(command: Command) -> TypeGuard[BuiltCommand]:
    return command.type in BUILT
