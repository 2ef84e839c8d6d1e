"""The least that a command can cost: `python tests/bench/floors.py [--commands N]`. Measures, while nothing else runs:

- at one client (p50): an HTTP echo, the look-up of a command whose org is in memory, and Kafka's acknowledgement of an
  entry, each alone; and the HTTP door with shards that answer at once;
- at one client (p50): a bare service that only makes the look-up and appends an entry, one after the other, for each
  request. Over HTTP it answers the request; over Kafka it reads a record and publishes a reply;
- at 100 clients (CPU time): the echo, and the same door;
- at 100 clients, in batches of 200 and in a flood: a bare system, measured as the figures measure Daybook. For each
  command, it only parses it and makes an entry and a row. It does the rest once for all waiting commands
  (measuring/load_floors.py).
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
from bench.measuring.bare_service import needs_of_one
from bench.measuring.comparison import ROUNDS
from bench.measuring.echo import Served, running_echo, serving
from bench.measuring.http_load import Plan
from bench.measuring.kafka_load import Mode, Record
from bench.measuring.load_floors import measure_floors_under_load
from bench.measuring.orgs import ORGS, Orgs
from bench.measuring.running import Bench, bench_orgs
from bench.measuring.usage import Watch
from daybook_command.postgres import child_sql
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import keep_session, open_pool
from support.processes import environment, free_port

ENTRY = Record(0, b"bench", bytes(900))
CLIENTS = 100
ASKED = "asked"
BARE = "bench.measuring.bare_service"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=2_000, help="commands of each round at one client")
    parser.add_argument("--loaded", type=int, default=20_000, help="commands of each round under load")
    parser.add_argument("--orgs", type=int, default=ORGS)
    args = parser.parse_args()
    with bench_orgs(args.orgs) as (bench, orgs):
        asyncio.run(run(bench, orgs, args.commands))
        asyncio.run(measure_floors_under_load(bench, orgs, args.loaded))


async def run(bench: Bench, orgs: Orgs, commands: int) -> None:
    requests = list(map(bench.request, orgs.mixed(commands)))
    acked, asked = await bench.create_topic(), await bench.create_topic(ASKED)
    kafka_port, http_port, door_port = free_port(), free_port(), free_port()
    settings = environment(bench.settings)
    over_kafka = serving(kafka_port, BARE, "kafka", str(kafka_port), acked, orgs.org_ids[0], asked, **settings)
    over_http = serving(http_port, BARE, "http", str(http_port), acked, orgs.org_ids[0], **settings)
    door = serving(door_port, "bench.measuring.instant_door", str(door_port), **settings)
    rounds: list[dict[str, float]] = []
    async with running_echo() as echo, door as alone, over_http as bare, over_kafka:
        for _ in range(ROUNDS):
            acks = await kafka_load.run(bench.settings, Mode.ACKS, acked, [ENTRY] * commands)
            replies = await kafka_load.run(bench.settings, Mode.ONE_CLIENT, asked, [ENTRY] * commands)
            found = {
                "ack": acks.values["p50"],
                "look-up": await look_ups(bench, orgs.org_ids, commands),
                "HTTP": await p50_of(echo, requests),
                "door": await p50_of(alone, requests),
                "bare HTTP": await p50_of(bare, requests),
                "bare Kafka": replies.values["p50"],
                "echo's CPU": await cpu_of(echo, requests),
                "door's CPU": await cpu_of(alone, requests),
            }
            rounds.append(found)
    report({name: median(found[name] for found in rounds) for name in rounds[0]})


def report(seconds: dict[str, float]) -> None:
    ms = {name: value * 1e3 for name, value in seconds.items()}
    say(f"1 client, each alone: HTTP {ms['HTTP']:.2f} ms, look-up {ms['look-up']:.2f} ms, ack {ms['ack']:.2f} ms")
    say(f"1 client, the HTTP door with shards that answer at once: {ms['door']:.2f} ms")
    for way in ("HTTP", "Kafka"):
        taken = ms[f"bare {way}"]
        say(f"1 client, a bare service over {way}: {taken:.2f} ms, {taken / ms['ack']:.1f} acks")
    echo, door = ms["echo's CPU"] * 1e3, ms["door's CPU"] * 1e3
    say(f"{CLIENTS} clients: echo {echo:.0f} us, the door alone {door:.0f} us of CPU per request")


async def p50_of(served: Served, requests: Sequence[bytes]) -> float:
    """Seconds from request to answer, at one client."""
    done = await http_load.run(Plan(served.url, requests))
    assert done.values["200"] == len(requests), done.values
    return done.values["p50"]


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


async def cpu_of(served: Served, requests: Sequence[bytes]) -> float:
    """Seconds of CPU for each request."""
    watch = Watch({"server": served.pid})
    done = await http_load.run(Plan(served.url, requests, CLIENTS))
    assert done.values["200"] == len(requests), done.values
    return watch.stop().cpu["server"] / len(requests)


if __name__ == "__main__":
    main()
