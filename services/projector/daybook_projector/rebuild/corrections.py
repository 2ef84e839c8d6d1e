"""Corrects the live rows whose keys are noted, in the caller's transaction. Each statement corrects many rows, and
takes only row locks.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from daybook_contracts.log.head import Checkpoint
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.fold.live_rows import is_of_org
from daybook_projector.postgres.row_writer import translated_refusals
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import FoldError, Table
from daybook_projector.projections.connection_activity import CONNECTION_ACTIVITY
from daybook_projector.projections.org_members import ORG_MEMBERS
from daybook_projector.projections.orgs import ORGS
from daybook_projector.projections.project_members import PROJECT_MEMBERS
from daybook_projector.projections.projects import PROJECTS
from daybook_projector.projections.secret_refs import SECRET_REFS
from daybook_projector.projections.source_connections import SOURCE_CONNECTIONS
from daybook_projector.rebuild.differences import Difference, compared, differ, same_key
from daybook_projector.rebuild.refusal import RebuildRefused
from daybook_projector.rebuild.shadow_tables import ShadowTables

KEY_TABLES: Final = (ORGS, PROJECTS)
"""The tables to which the projector adds rows of an org even while the org is in quarantine."""

ORG_OF: Final = {
    ORGS: "{row}.id",
    ORG_MEMBERS: "{row}.org_id",
    PROJECTS: "{row}.org_id",
    SOURCE_CONNECTIONS: "{row}.org_id",
    SECRET_REFS: "{row}.org_id",
    PROJECT_MEMBERS: "(SELECT org_id FROM {projects} AS its WHERE its.id = {row}.project_id)",
    CONNECTION_ACTIVITY: "(SELECT org_id FROM {connections} AS its WHERE its.id = {row}.connection_id)",
}
"""The org of a row, in SQL, for the tables whose rows shards keep in memory."""

# Shards drop their copy of an org when its generation changes. They keep no copy of an org in quarantine, so the
# generation of such an org stays as it is.
RENEW: Final = """
INSERT INTO daybook.quarantine AS q (org_id, partition, position, reason, released_at)
SELECT org_id, partition, position, 'its rows were rebuilt', clock_timestamp()
  FROM unnest($1::uuid[], $2::int[], $3::bigint[]) AS corrected (org_id, partition, position)
ON CONFLICT (org_id) DO UPDATE SET generation = q.generation + 1 WHERE q.released_at IS NOT NULL
"""


async def renew(connection: Connection, orgs: Mapping[str, int], folded: Mapping[int, Checkpoint]) -> None:
    """Makes shards read these orgs again. `orgs` maps the ids of orgs to their partitions."""
    positions = [folded[partition].head.position for partition in orgs.values()]
    await connection.execute(RENEW, list(orgs), list(orgs.values()), positions)


class Corrections:
    """With `org_id`, corrects only rows of this org. Raises `RebuildRefused` if a row cannot be written, for example
    because another org has a row with the same id.
    """

    def __init__(self, connection: Connection, shadows: ShadowTables, org_id: str | None) -> None:
        self._connection = connection
        self._shadows = shadows
        self._org_id = org_id

    async def apply(self, tables: Sequence[Table]) -> list[Difference]:
        """`tables`: parents before children. Deletes that free a unique value come first. All other deletes come last,
        when no row refers to the deleted rows any more.
        """
        replaced = {table: await self._run(self.remove_other(table), table) for table in tables if table.unique}
        freed = {table: await self._run(self.remove_surplus(table), table) for table in tables if table.unique}
        added = {table: await self._run(self.add_missing(table), table) for table in tables}
        other = {table: await self._run(self.change_other(table), table) for table in tables if compared(table)}
        surplus = freed | {
            table: await self._run(self.remove_surplus(table), table)
            for table in reversed(tables)
            if not table.unique and table is not AUTH_USERS
        }
        if AUTH_USERS in tables and await self._connection.fetchval(self.has_surplus_users()):
            surplus[AUTH_USERS] = await self._run(self.remove_surplus_users(), AUTH_USERS)
        return [
            Difference(
                table.name,
                missing=added[table] - replaced.get(table, 0),
                other=other.get(table, 0) + replaced.get(table, 0),
                surplus=surplus.get(table, 0),
            )
            for table in tables
        ]

    async def corrected_orgs(self) -> list[str]:
        """The orgs with noted differences in tables whose rows shards keep in memory. A row whose parent is missing
        belongs to no org. Call it before `apply`.
        """
        tables = [table for table in self._shadows.tables if table in ORG_OF]
        queries = [query for table in tables for query in self._orgs_of(table)]
        return [row[0] for row in await self._connection.fetch(" UNION ".join(queries)) if row[0] is not None]

    async def is_missing(self, tables: Iterable[Table]) -> bool:
        """Whether a row of these tables is noted as missing."""
        noted = [f"EXISTS (SELECT FROM {self._shadows.keys(table)} WHERE difference = 'missing')" for table in tables]
        found: bool = await self._connection.fetchval(f"SELECT {' OR '.join(noted)}")
        return found

    async def _run(self, statement: str, table: Table) -> int:
        arguments = () if self._org_id is None else (self._org_id,)
        try:
            with translated_refusals():
                tag = await self._connection.execute(statement, *arguments)
        except FoldError as error:
            raise RebuildRefused(f"rows of {table.name} cannot be written: {error}") from error
        return int(tag.rpartition(" ")[2])

    def remove_surplus(self, table: Table) -> str:
        return f"""
            DELETE FROM {table.name} AS old WHERE {self._is_noted(table, "old")} AND {self._is_in_scope(table)}
            AND NOT EXISTS (SELECT FROM {self._shadow(table)} AS new WHERE {same_key(table)})
        """  # noqa: S608

    def remove_other(self, table: Table) -> str:
        """For a table with a unique constraint: deletes the rows that differ, because another row may need their unique
        value. `add_missing` inserts them again.
        """
        return f"""
            DELETE FROM {table.name} AS old WHERE {self._is_noted(table, "old")} AND {self._is_in_scope(table)}
            AND EXISTS (SELECT FROM {self._shadow(table)} AS new WHERE {same_key(table)} AND ({differ(table)}))
        """  # noqa: S608

    def change_other(self, table: Table) -> str:
        changes = ", ".join(f"{column} = new.{column}" for column in compared(table))
        return f"""
            UPDATE {table.name} AS old SET {changes} FROM {self._shadow(table)} AS new
            WHERE {self._is_noted(table, "old")} AND {self._is_in_scope(table)} AND {same_key(table)}
            AND ({differ(table)})
        """  # noqa: S608

    def add_missing(self, table: Table) -> str:
        columns = ", ".join(table.columns)
        return f"""
            INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {self._shadow(table)} AS new
            WHERE {self._is_noted(table, "new")}
            AND NOT EXISTS (SELECT FROM {table.name} AS old WHERE {same_key(table)} AND {self._is_in_scope(table)})
        """  # noqa: S608

    def has_surplus_users(self) -> str:
        return f"SELECT EXISTS (SELECT FROM {self._shadows.keys(AUTH_USERS)} WHERE difference = 'surplus')"  # noqa: S608

    def remove_surplus_users(self) -> str:
        """Deletes only users that are noted as surplus: for each of them, PostgreSQL searches all of `audit_log`."""
        return f"""
            DELETE FROM auth.users AS old
            WHERE id IN (SELECT id FROM {self._shadows.keys(AUTH_USERS)} WHERE difference = 'surplus')
            AND NOT EXISTS (SELECT FROM {self._shadow(AUTH_USERS)} AS new WHERE {same_key(AUTH_USERS)})
        """  # noqa: S608

    def _orgs_of(self, table: Table) -> Iterable[str]:
        noted = f"SELECT {', '.join(table.key)} FROM {self._shadows.keys(table)} WHERE difference IS NOT NULL"  # noqa: S608
        live = (table.name, PROJECTS.name, SOURCE_CONNECTIONS.name)
        shadow = (self._shadow(table), self._shadow(PROJECTS), self._shadow(SOURCE_CONNECTIONS))
        for name, projects, connections in (live, shadow):
            org = ORG_OF[table].format(row="each", projects=projects, connections=connections)
            key = ", ".join(f"each.{column}" for column in table.key)
            yield f"SELECT {org}::text FROM {name} AS each WHERE ({key}) IN ({noted})"  # noqa: S608

    def _shadow(self, table: Table) -> str:
        return self._shadows.of(table).name

    def _is_noted(self, table: Table, row: str) -> str:
        key = ", ".join(f"{row}.{column}" for column in table.key)
        return f"({key}) IN (SELECT {', '.join(table.key)} FROM {self._shadows.keys(table)})"  # noqa: S608

    def _is_in_scope(self, table: Table) -> str:
        return "true" if self._org_id is None else is_of_org(table, "old")
