"""Loads orgs from their rows, as the state on which deciders work."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import asyncpg
from immutables import Map, MapMutation

from daybook_command.domain.connections import Connection as SourceConnection
from daybook_command.domain.projects import Project
from daybook_command.domain.secret_refs import SecretRef
from daybook_command.domain.state import Org
from daybook_command.postgres import snapshot_sql as sql
from daybook_contracts.connection_types.configs import key_names_of
from daybook_contracts.entries.fields import ProjectRole, Role
from daybook_infra.runtime.postgres.connections import Connection

# A row takes up to 10 µs.
SLICE_ROWS = 1_000


async def load_orgs(connection: Connection, org_ids: Sequence[str]) -> dict[str, Org]:
    """The orgs that exist. The caller's transaction must be a snapshot, so that all rows are of the same moment."""
    names = await connection.fetch(sql.ORGS, org_ids)
    if not names:
        return {}
    members = await _members(connection, org_ids)
    projects = await _projects(connection, org_ids)
    connections = await _connections(connection, org_ids)
    secret_refs = await _secret_refs(connection, org_ids)
    return {
        row["id"]: Org(
            name=row["name"],
            members=members.get(row["id"], Map()),
            owners=sum(role == "owner" for role in members.get(row["id"], Map()).values()),
            projects=Map(projects.get(row["id"], {})),
            connections=Map(connections.get(row["id"], {})),
            secret_refs=Map(secret_refs.get(row["id"], {})),
            key_names=Map({ref.key_name: id_ for id_, ref in secret_refs.get(row["id"], {}).items()}),
        )
        for row in names
    }


async def _members(connection: Connection, org_ids: Sequence[str]) -> dict[str, Map[str, Role]]:
    """By org id, then by user id."""
    found: dict[str, MapMutation[str, Role]] = {}
    async for rows in _in_slices(await connection.fetch(sql.MEMBERS, org_ids)):
        for row in rows:
            of_org = found.get(row["org_id"])
            if of_org is None:
                of_org = found[row["org_id"]] = Map[str, Role]().mutate()
            of_org[row["user_id"]] = row["role"]
    return {org_id: of_org.finish() for org_id, of_org in found.items()}


async def _projects(connection: Connection, org_ids: Sequence[str]) -> dict[str, dict[str, Project]]:
    """By org id, then by project id."""
    members: dict[str, dict[str, ProjectRole]] = {}
    async for rows in _in_slices(await connection.fetch(sql.PROJECT_MEMBERS, org_ids)):
        for row in rows:
            members.setdefault(row["project_id"], {})[row["user_id"]] = row["role"]
    projects: dict[str, dict[str, Project]] = {}
    async for rows in _in_slices(await connection.fetch(sql.PROJECTS, org_ids)):
        for row in rows:
            project = Project(row["name"], Map(members.get(row["id"], {})))
            projects.setdefault(row["org_id"], {})[row["id"]] = project
    return projects


async def _connections(connection: Connection, org_ids: Sequence[str]) -> dict[str, dict[str, SourceConnection]]:
    """By org id, then by connection id. Leaves out the connections' activities, which are loaded separately."""
    found: dict[str, dict[str, SourceConnection]] = {}
    async for rows in _in_slices(await connection.fetch(sql.CONNECTIONS, org_ids)):
        for row in rows:
            found.setdefault(row["org_id"], {})[row["id"]] = SourceConnection(
                project_id=row["project_id"],
                type=row["type"],
                name=row["name"],
                active=row["is_active"],
                key_names=key_names_of({"secrets": json.loads(row["secrets"] or "null")}),
            )
    return found


async def _secret_refs(connection: Connection, org_ids: Sequence[str]) -> dict[str, dict[str, SecretRef]]:
    """By org id, then by the reference's id."""
    found: dict[str, dict[str, SecretRef]] = {}
    async for rows in _in_slices(await connection.fetch(sql.REFERENCES, org_ids)):
        for row in rows:
            found.setdefault(row["org_id"], {})[row["id"]] = SecretRef(row["key_name"], row["digest"])
    return found


async def _in_slices(rows: Sequence[asyncpg.Record]) -> AsyncIterator[Sequence[asyncpg.Record]]:
    """Other tasks get a turn between two slices: an org may have 100,000 members."""
    for start in range(0, len(rows), SLICE_ROWS):
        if start:
            await asyncio.sleep(0)
        yield rows[start : start + SLICE_ROWS]
