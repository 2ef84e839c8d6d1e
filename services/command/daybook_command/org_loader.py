"""Orgs as rows become orgs as values: ids in, the state that deciders work on out."""

from collections.abc import Sequence

from immutables import Map

from daybook_command import snapshot_sql as sql
from daybook_command.domain.state import Org, Project
from daybook_infra.postgres import Connection


async def load_orgs(connection: Connection, org_ids: Sequence[str]) -> dict[str, Org]:
    """The orgs that exist. The caller's transaction makes it one moment."""
    names = await connection.fetch(sql.ORGS, org_ids)
    if not names:
        return {}
    members: dict[str, dict[str, str]] = {}
    for row in await connection.fetch(sql.MEMBERS, org_ids):
        members.setdefault(row["org_id"], {})[row["user_id"]] = row["role"]
    projects = await _projects(connection, org_ids)
    return {
        row["id"]: Org(
            name=row["name"],
            members=Map(members.get(row["id"], {})),
            owners=sum(role == "owner" for role in members.get(row["id"], {}).values()),
            projects=Map(projects.get(row["id"], {})),
        )
        for row in names
    }


async def _projects(connection: Connection, org_ids: Sequence[str]) -> dict[str, dict[str, Project]]:
    """By org id, then by project id."""
    members: dict[str, dict[str, str]] = {}
    for row in await connection.fetch(sql.PROJECT_MEMBERS, org_ids):
        members.setdefault(row["project_id"], {})[row["user_id"]] = row["role"]
    projects: dict[str, dict[str, Project]] = {}
    for row in await connection.fetch(sql.PROJECTS, org_ids):
        project = Project(row["name"], Map(members.get(row["id"], {})))
        projects.setdefault(row["org_id"], {})[row["id"]] = project
    return projects
