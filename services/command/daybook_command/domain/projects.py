"""Projects: creating and renaming them, and the rights of actors in a project."""

from typing import Final, Protocol

from immutables import Map
from msgspec import Struct
from msgspec.structs import replace

from daybook_command.domain import rejections
from daybook_command.domain.decision import DecisionContext, Rejection
from daybook_command.domain.handlers import OrgFold, OrgHandler, Ruling, Subject, Target, Thing, ThingHandler, is_taken
from daybook_command.domain.permissions import (
    ORG_ADMINS,
    PROJECT_ADMINS,
    Acting,
    Standings,
    org_standings,
    project_standings,
)
from daybook_command.domain.references import Named, chosen_id
from daybook_command.domain.state import Org
from daybook_contracts.commands.projects import CreateProject, RenameProject
from daybook_contracts.entries.facts import ProjectCreated, ProjectRenamed
from daybook_contracts.entries.fields import ProjectRole
from daybook_contracts.limits import ORG_PROJECTS


class Project(Struct, frozen=True, gc=False):
    name: str
    members: Map[str, ProjectRole]
    """user id -> project role"""


class _NamesProject(Protocol):
    @property
    def project_id(self) -> str: ...


class ProjectCommand(Acting, Protocol):
    """Any command whose data names a project."""

    @property
    def data(self) -> _NamesProject: ...


def _new_project(command: CreateProject, new_id: str, _org: Org | None) -> Target:
    project_id = command.data.project_id or new_id
    return Target("project", project_id, project_id)


def _named_by_create(command: CreateProject) -> Named:
    return Named(chosen=chosen_id("projects", command.data.project_id))


def _target(command: RenameProject, _new_id: str, _org: Org | None) -> Target:
    return Target("project", command.data.project_id, command.data.project_id)


def rights_in_project(command: ProjectCommand, org: Org, _project: Project) -> Standings:
    return project_standings(command, org, command.data.project_id)


def find_project(command: ProjectCommand, org: Org) -> Project | Rejection:
    return org.projects.get(command.data.project_id, rejections.PROJECT_NOT_FOUND)


def create_project(command: CreateProject, org: Org, context: DecisionContext) -> Ruling:
    project_id = command.data.project_id or context.new_id
    if is_taken(project_id, org.projects, context):
        return rejections.ID_TAKEN
    if len(org.projects) >= ORG_PROJECTS:
        return rejections.PROJECTS_LIMIT
    return ProjectCreated(project_id=project_id, name=command.data.name)


def rename_project(command: RenameProject, _org: Org, project: Project, _context: DecisionContext) -> Ruling:
    project_id, name = command.data.project_id, command.data.name
    if name == project.name:
        return ProjectRenamed(project_id=project_id, name=name, changed=False)
    return ProjectRenamed(project_id=project_id, name=name)


def _created(org: Org, fact: ProjectCreated) -> Org:
    return with_project(org, fact.project_id, Project(name=fact.name, members=Map()))


def _renamed(org: Org, fact: ProjectRenamed) -> Org:
    return with_project(org, fact.project_id, replace(org.projects[fact.project_id], name=fact.name))


def with_project(org: Org, project_id: str, project: Project) -> Org:
    return replace(org, projects=org.projects.set(project_id, project))


_NEW_PROJECT = Subject(_new_project, _named_by_create)
_PROJECT = Thing(_target, find=find_project, rights=rights_in_project)

HANDLERS: Final = (
    OrgHandler(CreateProject, ORG_ADMINS, _NEW_PROJECT, org_standings, create_project),
    ThingHandler(RenameProject, PROJECT_ADMINS, _PROJECT, rename_project),
)
FOLDS: Final = (OrgFold(ProjectCreated, _created), OrgFold(ProjectRenamed, _renamed))
