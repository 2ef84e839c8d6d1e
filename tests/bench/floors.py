"""What a command costs at least: `python tests/bench/floors.py [--commands N]`. Measures each part of the work alone,
while nothing else runs:

- at one client (p50): an HTTP echo, the look-up of a command whose org is in memory, and Kafka's acknowledgement of an
  entry. A command waits for all three, one after another;
- at 100 clients (CPU time): the echo, and the HTTP door with shards that answer at once.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import say
from bench.measuring import http_load, kafka_load
from bench.measuring.comparison import ROUNDS
from bench.measuring.echo import Served, running_echo, serving
from bench.measuring.http_load import Plan
from bench.measuring.kafka_load import Mode, Record
from bench.measuring.orgs import ORGS, Orgs
from bench.measuring.running import Bench, bench_orgs
from bench.measuring.usage import Watch
from daybook_command.postgres import child_sql
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.snapshot import Needs, OrgNeeds
from daybook_contracts.entries.identity import Identity
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import keep_session, open_pool
from support.driving import fresh_id
from support.processes import environment, free_port

ENTRY = Record(0, b"bench", bytes(900))
CLIENTS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=2_000, help="commands of each round")
    parser.add_argument("--orgs", type=int, default=ORGS)
    args = parser.parse_args()
    with bench_orgs(args.orgs) as (bench, orgs):
        asyncio.run(run(bench, orgs, args.commands))


async def run(bench: Bench, orgs: Orgs, commands: int) -> None:
    topic = await bench.create_topic()
    requests = list(map(bench.request, orgs.mixed(commands)))
    port = free_port()
    door = serving(port, "bench.measuring.instant_door", str(port), **environment(bench.settings))
    found: list[tuple[float, float, float]] = []
    costs: list[tuple[float, float]] = []
    async with running_echo() as echo, door as alone:
        for _ in range(ROUNDS):
            http = (await http_load.run(Plan(echo.url, requests))).values["p50"]
            acks = await kafka_load.run(bench.settings, Mode.ACKS, topic, [ENTRY] * commands)
            found.append((http, await look_ups(bench, orgs.org_ids, commands), acks.values["p50"]))
            costs.append((await cpu_of(echo, requests), await cpu_of(alone, requests)))
    http, look_up, ack = (median(times) * 1e3 for times in zip(*found, strict=True))
    total = http + look_up + ack
    say(f"one client: HTTP {http:.2f} ms, look-up {look_up:.2f} ms, acknowledgement {ack:.2f} ms")
    say(f"            together {total:.2f} ms: {total / ack:.1f} acknowledgements")
    echoed, answered = (median(each) * 1e6 for each in zip(*costs, strict=True))
    say(f"{CLIENTS} clients: echo {echoed:.0f} us, the door alone {answered:.0f} us of CPU per request")


async def look_ups(bench: Bench, org_ids: Sequence[str], count: int) -> float:
    """The p50 of look-ups of one command each, in seconds."""
    pool = await open_pool(bench.settings, "bench", session=child_sql.SESSION, reset=keep_session)
    seconds = []
    async with pool:
        reader = SnapshotReader(pool)
        for number in range(count):
            org_id = org_ids[number % len(org_ids)]
            needs = needs_of_one(org_id)
            began = time.perf_counter()
            await reader.read({partition_of(org_id, bench.settings.partitions): needs})
            seconds.append(time.perf_counter() - began)
    return median(seconds)


def needs_of_one(org_id: str) -> Needs:
    """What the shard must look up for a member's command, if it has the org in memory."""
    identity = Identity("org", org_id, None, fresh_id())
    return Needs((identity,), (OrgNeeds(org_id, generation=0),), users=(fresh_id(),))


async def cpu_of(served: Served, requests: Sequence[bytes]) -> float:
    """Seconds of CPU for each request."""
    watch = Watch({"server": served.pid})
    done = await http_load.run(Plan(served.url, requests, CLIENTS))
    assert done.values["200"] == len(requests), done.values
    return watch.stop().cpu["server"] / len(requests)


if __name__ == "__main__":
    main()
