"""One snapshot of PostgreSQL for a whole verification: settings in; checkpoints, quarantine and the snapshot's id out.
Other connections can use the same snapshot by its id, as long as this one is open.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from daybook_contracts.log.head import Checkpoint
from daybook_infra.runtime.postgres.checkpoints import load_checkpoints
from daybook_infra.runtime.postgres.connections import OwnConnection, connect
from daybook_infra.runtime.postgres.migrations import verify_migrations
from daybook_infra.runtime.postgres.row_visibility import show_every_row
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.verify.report import Quarantine

QUARANTINED = """
SELECT org_id::text, partition, position, reason FROM daybook.quarantine WHERE released_at IS NULL
 ORDER BY partition, position
"""
# No COMMIT follows: the transaction ends with the connection, which a COPY that is given up may have closed already.
BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# The holder of the snapshot waits while others read, and there is no limit to how long a large table takes.
NO_LIMITS = "SET LOCAL idle_in_transaction_session_timeout = 0"


@dataclass(frozen=True, slots=True)
class AuditSnapshot:
    connection: OwnConnection
    id: str
    checkpoints: Mapping[int, Checkpoint]
    quarantined: tuple[Quarantine, ...]

    def quarantined_in(self, partition: int) -> tuple[Quarantine, ...]:
        return tuple(each for each in self.quarantined if each.partition == partition)


@asynccontextmanager
async def open_snapshot(settings: Settings) -> AsyncIterator[AuditSnapshot]:
    """Raises `DatabaseAway`, and `DaybookError` if the migrations are not this version's or a policy hides rows."""
    await verify_migrations(settings)
    async with connect(settings, "daybook-audit", statement_seconds=0) as connection:
        await connection.execute(BEGIN)
        await connection.execute(NO_LIMITS)
        await show_every_row(connection)
        quarantined = tuple(Quarantine(*row) for row in await connection.fetch(QUARANTINED))
        yield AuditSnapshot(
            connection,
            await connection.fetchval("SELECT pg_export_snapshot()"),
            await load_checkpoints(connection),
            quarantined,
        )


@asynccontextmanager
async def join_snapshot(settings: Settings, snapshot_id: str) -> AsyncIterator[OwnConnection]:
    """Another connection that sees the same state."""
    async with connect(settings, "daybook-audit", statement_seconds=0) as connection:
        await connection.execute(BEGIN)
        # The id comes from the server; SET takes no parameters.
        await connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot_id}'")
        await connection.execute(NO_LIMITS)
        await show_every_row(connection)
        yield connection
