"""projects: one row per project of an org."""

from collections.abc import Iterable

from daybook_contracts.entries.facts import ProjectCreated, ProjectRenamed
from daybook_projector.projections.changes import Change, Insert, Table, Update
from daybook_projector.projections.rule import Columns, Rules

PROJECTS = Table(
    "public.projects",
    key=("id",),
    columns={"id": "uuid", "org_id": "uuid", "name": "text", "created_at": "timestamptz"},
)


def created(entry: Columns, fact: ProjectCreated) -> tuple[Insert]:
    row = {"id": fact.project_id, "org_id": entry.org_id, "name": fact.name, "created_at": entry.created_at}
    return (Insert(PROJECTS, row),)


def renamed(_entry: Columns, fact: ProjectRenamed) -> Iterable[Change]:
    return (Update(PROJECTS, (fact.project_id,), {"name": fact.name}),)


RULES: Rules = {ProjectCreated: created, ProjectRenamed: renamed}
