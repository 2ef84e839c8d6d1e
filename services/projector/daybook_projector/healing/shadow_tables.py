"""An org's tables once more, beside the live ones: entries in, rows in temporary tables out, which end with their
connection. They refuse what the live tables refuse; users alone are asked for in the live table.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.healing.unhealable import Unhealable
from daybook_projector.partition.batch_rows import NO_ORGS, net_changes
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.partition.missing_users import first_absent, required_users
from daybook_projector.postgres.row_writer import write_changes
from daybook_projector.postgres.users import ABSENT
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import FoldError, NetChange, Table
from daybook_projector.projections.fold import TABLES, Folds

# What a live table refers to, but for users: a temporary table can refer to none but its like.
REFERENCES: Final = """
ALTER TABLE pg_temp.beside_org_members ADD FOREIGN KEY (org_id) REFERENCES pg_temp.beside_orgs;
ALTER TABLE pg_temp.beside_projects ADD FOREIGN KEY (org_id) REFERENCES pg_temp.beside_orgs;
ALTER TABLE pg_temp.beside_project_members ADD FOREIGN KEY (project_id) REFERENCES pg_temp.beside_projects;
ALTER TABLE pg_temp.beside_secret_refs ADD FOREIGN KEY (org_id) REFERENCES pg_temp.beside_orgs;
ALTER TABLE pg_temp.beside_source_connections ADD FOREIGN KEY (org_id) REFERENCES pg_temp.beside_orgs;
ALTER TABLE pg_temp.beside_source_connections ADD FOREIGN KEY (project_id) REFERENCES pg_temp.beside_projects;
ALTER TABLE pg_temp.beside_sync_runs
    ADD FOREIGN KEY (connection_id) REFERENCES pg_temp.beside_source_connections ON DELETE CASCADE;
ALTER TABLE pg_temp.beside_dlq_events
    ADD FOREIGN KEY (connection_id) REFERENCES pg_temp.beside_source_connections ON DELETE CASCADE;
ALTER TABLE pg_temp.beside_integration_alerts ADD FOREIGN KEY (project_id) REFERENCES pg_temp.beside_projects;
"""


def _twins() -> dict[Table, Table]:
    twins: dict[Table, Table] = {}
    for table in TABLES:
        if table is not AUTH_USERS:
            cascades_from = (
                None if table.cascades_from is None else (table.cascades_from[0], twins[table.cascades_from[1]])
            )
            twins[table] = replace(
                table, name=f"pg_temp.beside_{table.name.partition('.')[2]}", cascades_from=cascades_from
            )
    return twins


TWINS: Final = _twins()
"""Of each table that holds rows of orgs, the one beside it; parents before children."""


class Beside:
    def __init__(self, connection: Connection, folds: Folds) -> None:
        self._connection = connection
        self._folds = folds

    async def begin(self) -> None:
        for table, twin in TWINS.items():
            name = twin.name.partition(".")[2]
            await self._connection.execute(
                f"CREATE TEMP TABLE {name} (LIKE {table.name} INCLUDING CONSTRAINTS INCLUDING INDEXES)"
            )
        await self._connection.execute(REFERENCES)

    async def settle(self) -> None:
        """Nobody else tells the planner how many rows these tables have."""
        for twin in TWINS.values():
            await self._connection.execute(f"ANALYZE {twin.name}")

    async def fold(self, partition: int, entries: Sequence[PartitionEntry]) -> None:
        """Raises `Unhealable`, which names the first entry that cannot be applied."""
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
        await self._need_users(entries)
        async with self._connection.transaction():
            moved = [[_beside(change) for change in stretch] for stretch in changes]
            await write_changes(self._connection, moved, tuple(TWINS.values()))

    async def _need_users(self, entries: Sequence[PartitionEntry]) -> None:
        required = list(required_users(entries))
        rows = await self._connection.fetch(ABSENT, list({one.user_id for one in required})) if required else []
        first = first_absent(required, {row[0] for row in rows})
        if first is not None:
            raise FoldError(f"user {first.user_id} does not exist")


def _beside(change: NetChange) -> NetChange:
    if change.table not in TWINS:
        raise FoldError(f"rows of {change.table.name} belong to no org")
    return replace(change, table=TWINS[change.table])


def _named(entry: PartitionEntry) -> str:
    action = "" if entry.columns is None else f" ({entry.columns.action})"
    return f"{entry.head.position}{action}"
