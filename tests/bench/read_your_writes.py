"""Writes over HTTP, and at once reads what was written, with `Daybook-After`, on another instance: `python
tests/bench/read_your_writes.py [--writes N]`. It prints how long both take, and fails if a read misses its write.
"""

import argparse
import asyncio
import sys
from itertools import cycle
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import Timings, say
from bench.systems import own_systems
from support.driving import Tenant, fresh_id, new_tenant, open_database, send_accepted
from support.processes import System
from support.publisher import Door, doors

WRITERS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=1_000)
    args = parser.parse_args()
    with own_systems() as systems:
        asyncio.run(run(systems.start(commands=2, projectors=2), args.writes))


async def run(system: System, writes: int) -> None:
    written, read = Timings(), Timings()
    async with (
        doors(system.settings, system.commands[0].url) as (door,),
        open_database(system.settings) as database,
        httpx.AsyncClient(timeout=30) as client,
    ):
        tenant = await new_tenant(door, database)
        urls = cycle([each.url for each in system.projectors])

        async def write_and_read(writer: int) -> None:
            own = Tenant(fresh_id(), owner=tenant.owner)
            await send_accepted(door, own.by(own.owner, "CREATE_ORG", name="new"))
            for number in range(writes // WRITERS):
                name = f"{writer}.{number}"
                answer = await written.of(send_accepted(door, own.rename(name)))
                found = await read.of(get(client, door, next(urls), own.org_id, answer["position"]))
                assert found.json().get("name") == name, found.text

        await asyncio.gather(*(write_and_read(writer) for writer in range(WRITERS)))
    say(f"{len(read.seconds)} reads, each with the write before it")
    say(f"a write: p50 {written.p50 * 1e3:.1f} ms, p95 {written.p95 * 1e3:.1f} ms")
    say(f"a read after it: p50 {read.p50 * 1e3:.1f} ms, p95 {read.p95 * 1e3:.1f} ms")


async def get(client: httpx.AsyncClient, door: Door, url: str, org_id: str, position: str) -> httpx.Response:
    # A service has no rate limit.
    headers = {**door.bearer("service:bench"), "Daybook-After": position}
    return await client.get(f"{url}/v1/orgs/{org_id}", headers=headers)


if __name__ == "__main__":
    main()
