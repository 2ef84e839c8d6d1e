"""Healing in this process on a real PostgreSQL, and the same from the command line."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from daybook_contracts.entries.fields import Fact
from daybook_infra.runtime.postgres.checkpoints import load_checkpoint
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.partition.machine import PartitionLog
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.fold import Folds, folds
from daybook_projector.rebuild.org_rebuild import Rebuilt, open_org_rebuild
from support.logbook import Logbook, records
from support.poison import ORG
from support.projecting import until
from support.shell import Completed, run_daybook, start

LOCK_MEMBER = "SELECT FROM org_members WHERE org_id = $1 FOR UPDATE"
# This lock does not block foreign keys that reference the org.
LOCK_ORG = "SELECT FROM orgs WHERE id = $1 FOR NO KEY UPDATE"
BACKENDS = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE application_name = $1"


async def heal(settings: Settings, org_id: str, *, apply: bool = True) -> Rebuilt:
    """Only compares if `apply` is False."""
    async with open_org_rebuild(settings, "audit_log", org_id, silent, name="heal") as rebuilding:
        found = await rebuilding.compare()
        if apply:
            return await rebuilding.apply(release_only=True)
        return Rebuilt(rebuilding.entries, found.differences, released=False)


def older_than(*unknown: type[Fact]) -> type[Writer]:
    """A writer that does not know these facts, like an older version."""

    class Older(Writer):
        def __init__(self, pool: Pool, rules: Folds) -> None:
            super().__init__(pool, {fact: rule for fact, rule in rules.items() if fact not in unknown})

    return Older


async def post_rest(pool: Pool, log: Logbook, partition: int = 0) -> None:
    """Writes the entries of a partition that are not projected yet."""
    reader = PartitionLog(partition, await load_checkpoint(pool, partition), partitions=log.partitions)
    first = reader.checkpoint.first_to_read
    reader.take(records(log.records[partition][first:], start=first))
    while (batch := reader.next_batch(5000)) is not None:
        await Writer(pool, folds(managed_users=True)).write(batch)
        reader.mark_projected(batch)


@contextmanager
def silent(_total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _number: None


async def start_heal(settings: Settings, *arguments: str) -> asyncio.subprocess.Process:
    return await start(settings, "projector", "heal", *arguments)


async def run_heal(settings: Settings, *arguments: str) -> Completed:
    return await run_daybook(settings, "projector", "heal", *arguments)


@asynccontextmanager
async def locked(pool: Pool, statement: str, org_id: str = ORG) -> AsyncIterator[None]:
    """Another transaction locks a row that the healing must change."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(statement, org_id)
        yield


async def wait_until_blocked(pool: Pool, name: str = "heal") -> None:
    async def is_blocked() -> bool:
        return any(row[0] for row in await pool.fetch(BACKENDS, name))

    await until(is_blocked, f"{name} waits for a lock")
