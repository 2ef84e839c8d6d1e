"""`daybook audit verify` on real servers: valid as projected, and each kind of damage is found at its place."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.verify.report import Verified
from daybook_projector.audit.verify.run import Request, verify
from support.deciding import written
from support.logbook import Logbook
from support.projecting import projected, projecting, publish
from support.workload import Workload


def a_log() -> Logbook:
    return written(Workload(7, orgs=3, users=6, commands=300).sends)


def silent(_total: int, _word: str) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _: None)


async def verified(settings: Settings, *scopes: str) -> Verified:
    return await verify(settings, Request(frozenset(scopes) or None), silent)


async def test_what_was_projected_is_valid(settings: Settings, pool: Pool) -> None:
    log = a_log()
    await publish(settings, log)
    async with projecting(settings):
        await projected(pool, log)
    found = await verified(settings, "topic", "audit_log")
    assert found.findings == ()
    assert found.partitions[0].head == log.heads[0]
