"""The yardstick's side in a flood: `eventsourcing` handles commands like those of the other side."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.measuring.comparison import Done, Side
from bench.measuring.org_aggregates import running_tenancy
from bench.measuring.orgs import FOUNDING, Orgs, batches, plan_orgs, with_principals
from bench.measuring.running import Bench

SHARE = 10
"""The library handles a tenth as many commands in each round, because it takes much longer for each."""


@asynccontextmanager
async def running_library(bench: Bench, orgs: Orgs, counts: Sequence[int]) -> AsyncIterator[Side]:
    """`orgs`: those of the other side; the library founds the same ones. `counts`: how many commands the other side
    decides in the warm-up and in each round. The warm-up is done before this yields.
    """
    again = plan_orgs(len(orgs.org_ids))
    rounds = iter([again.mixed(count // SHARE) for count in counts])
    users = [send.key for send in orgs.registrations]
    with tempfile.TemporaryDirectory() as folder:
        async with running_tenancy(bench.create_database(), users, Path(folder)) as tenancy:
            await tenancy.found([with_principals(each) for each in batches(orgs.founding, FOUNDING)])

            async def handled() -> Done:
                sends = next(rounds)
                return await tenancy.handle(with_principals(sends), [send.key for send in sends])

            await handled()
            processes = {"eventsourcing": tenancy.process.pid, "postgres": bench.servers["postgres"]}
            yield Side("eventsourcing", handled, processes)
