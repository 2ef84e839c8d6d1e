"""HTTP and Kafka at one client, in Kafka acknowledgements: `python tests/bench/one_client.py [--commands N]`.

Ours: one client sends one mixed command after another, over HTTP and then over Kafka, where it awaits the reply.
Theirs: a bare idempotent producer sends one record of 900 bytes after another, and awaits each acknowledgement.
The value is the p50; the goals are 3 acknowledgements over HTTP and 4 over Kafka.
"""

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.measuring import http_load, kafka_load
from bench.measuring.comparison import ROUNDS, Done, Figure, Side, compare
from bench.measuring.http_load import Plan
from bench.measuring.kafka_load import Mode, Record, command_record
from bench.measuring.orgs import ORGS, Orgs
from bench.measuring.running import Bench, bench_orgs

HTTP = Figure("http_one_client", "HTTP at 1 client, in Kafka acks (p50)", 3, at_least=False, unit="s")
KAFKA = Figure("kafka_one_client", "Kafka at 1 client, in Kafka acks (p50)", 4, at_least=False, unit="s")
ACKED = Record(0, b"bench", bytes(900))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=500, help="commands of each round")
    parser.add_argument("--orgs", type=int, default=ORGS)
    args = parser.parse_args()
    with bench_orgs(args.orgs) as (bench, orgs):
        asyncio.run(run(bench, orgs, args.commands))


async def run(bench: Bench, orgs: Orgs, commands: int) -> None:
    topic = await bench.create_topic()
    waiting = iter([orgs.mixed(commands) for _ in range(2 * ROUNDS)])
    await http_load.run(Plan(bench.door, list(map(bench.request, orgs.mixed(commands)))))

    async def over_http() -> Done:
        return await http_load.run(Plan(bench.door, list(map(bench.request, next(waiting)))))

    async def over_kafka() -> Done:
        records = [command_record(send, bench.settings.partitions) for send in next(waiting)]
        return await kafka_load.run(bench.settings, Mode.ONE_CLIENT, "commands", records)

    async def acks() -> Done:
        return await kafka_load.run(bench.settings, Mode.ACKS, topic, [ACKED] * commands)

    processes = bench.processes
    theirs = Side("acks", acks, {"kafka": processes["kafka"]}, value="p50")
    await compare(HTTP, Side("HTTP", over_http, processes, value="p50"), theirs)
    await compare(KAFKA, Side("Kafka", over_kafka, processes, value="p50"), theirs)


if __name__ == "__main__":
    main()
