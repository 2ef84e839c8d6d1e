"""Commands about projects and their members."""

from typing import Literal

from daybook_contracts.commands.fields import ChosenId, ChosenIdField, Data, Envelope, Name, Uuid
from daybook_contracts.entries.fields import ProjectRole


class CreateProjectData(Data):
    name: Name
    project_id: ChosenId | None = ChosenIdField


class CreateProject(Envelope):
    """Creates a project in the org."""

    type: Literal["CREATE_PROJECT"]
    data: CreateProjectData


class RenameProjectData(Data):
    project_id: Uuid
    name: Name


class RenameProject(Envelope):
    """Renames a project."""

    type: Literal["RENAME_PROJECT"]
    data: RenameProjectData


class AddProjectMemberData(Data):
    project_id: Uuid
    user_id: Uuid
    role: ProjectRole


class AddProjectMember(Envelope):
    """Adds a member of the org to a project. A viewer of the org can only be a viewer."""

    type: Literal["ADD_PROJECT_MEMBER"]
    data: AddProjectMemberData


class UpdateProjectMemberData(Data):
    project_id: Uuid
    user_id: Uuid
    role: ProjectRole


class UpdateProjectMember(Envelope):
    """Changes a project member's role."""

    type: Literal["UPDATE_PROJECT_MEMBER"]
    data: UpdateProjectMemberData


class RemoveProjectMemberData(Data):
    project_id: Uuid
    user_id: Uuid


class RemoveProjectMember(Envelope):
    """Removes a member from a project."""

    type: Literal["REMOVE_PROJECT_MEMBER"]
    data: RemoveProjectMemberData
