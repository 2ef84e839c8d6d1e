"""Temporary copies of the tables that hold an org's rows, filled by folding its entries. They have the constraints of
the live tables; only users are looked up in the live table.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.healing.org_log import Unhealable
from daybook_projector.partition.batch_rows import NO_ORGS, net_changes
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.partition.missing_users import first_absent, required_users
from daybook_projector.postgres.row_writer import write_changes
from daybook_projector.postgres.users import ABSENT
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import FoldError, NetChange, Table
from daybook_projector.projections.fold import TABLES, Folds

# The live tables' foreign keys, without those to users: a temporary table can only refer to temporary ones.
REFERENCES: Final = """
ALTER TABLE pg_temp.shadow_org_members ADD FOREIGN KEY (org_id) REFERENCES pg_temp.shadow_orgs;
ALTER TABLE pg_temp.shadow_projects ADD FOREIGN KEY (org_id) REFERENCES pg_temp.shadow_orgs;
ALTER TABLE pg_temp.shadow_project_members ADD FOREIGN KEY (project_id) REFERENCES pg_temp.shadow_projects;
ALTER TABLE pg_temp.shadow_secret_refs ADD FOREIGN KEY (org_id) REFERENCES pg_temp.shadow_orgs;
ALTER TABLE pg_temp.shadow_source_connections ADD FOREIGN KEY (org_id) REFERENCES pg_temp.shadow_orgs;
ALTER TABLE pg_temp.shadow_source_connections ADD FOREIGN KEY (project_id) REFERENCES pg_temp.shadow_projects;
ALTER TABLE pg_temp.shadow_sync_runs
    ADD FOREIGN KEY (connection_id) REFERENCES pg_temp.shadow_source_connections ON DELETE CASCADE;
ALTER TABLE pg_temp.shadow_dlq_events
    ADD FOREIGN KEY (connection_id) REFERENCES pg_temp.shadow_source_connections ON DELETE CASCADE;
ALTER TABLE pg_temp.shadow_integration_alerts ADD FOREIGN KEY (project_id) REFERENCES pg_temp.shadow_projects;
"""


def _shadows() -> dict[Table, Table]:
    shadows: dict[Table, Table] = {}
    for table in TABLES:
        if table is not AUTH_USERS:
            cascades_from = (
                None if table.cascades_from is None else (table.cascades_from[0], shadows[table.cascades_from[1]])
            )
            shadows[table] = replace(
                table, name=f"pg_temp.shadow_{table.name.partition('.')[2]}", cascades_from=cascades_from
            )
    return shadows


SHADOWS: Final = _shadows()
"""By table with rows of orgs: its shadow table. Parents before children."""


class ShadowTables:
    def __init__(self, connection: Connection, folds: Folds) -> None:
        self._connection = connection
        self._folds = folds

    async def create(self) -> None:
        for table, shadow in SHADOWS.items():
            name = shadow.name.partition(".")[2]
            await self._connection.execute(
                f"CREATE TEMP TABLE {name} (LIKE {table.name} INCLUDING CONSTRAINTS INCLUDING INDEXES)"
            )
        await self._connection.execute(REFERENCES)

    async def analyze(self) -> None:
        """Autovacuum ignores temporary tables, so the planner needs this."""
        for shadow in SHADOWS.values():
            await self._connection.execute(f"ANALYZE {shadow.name}")

    async def fold(self, partition: int, entries: Sequence[PartitionEntry]) -> None:
        """Raises `Unhealable` with the first entry that cannot be applied."""
        try:
            await self._attempt(entries)
        except FoldError:
            for entry in entries:
                try:
                    await self._attempt([entry])
                except FoldError as error:
                    raise Unhealable(f"entry {partition}.{_named(entry)} cannot be applied: {error}") from error

    async def _attempt(self, entries: Sequence[PartitionEntry]) -> None:
        changes = net_changes(self._folds, entries, NO_ORGS)
        await self._require_users(entries)
        async with self._connection.transaction():
            moved = [[_on_shadow(change) for change in phase] for phase in changes]
            await write_changes(self._connection, moved, tuple(SHADOWS.values()))

    async def _require_users(self, entries: Sequence[PartitionEntry]) -> None:
        required = list(required_users(entries))
        rows = await self._connection.fetch(ABSENT, list({one.user_id for one in required})) if required else []
        first = first_absent(required, {row[0] for row in rows})
        if first is not None:
            raise FoldError(f"user {first.user_id} does not exist")


def _on_shadow(change: NetChange) -> NetChange:
    if change.table not in SHADOWS:
        raise FoldError(f"rows of {change.table.name} belong to no org")
    return replace(change, table=SHADOWS[change.table])


def _named(entry: PartitionEntry) -> str:
    action = "" if entry.columns is None else f" ({entry.columns.action})"
    return f"{entry.head.position}{action}"
