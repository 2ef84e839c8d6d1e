"""HTTP and Kafka at one client, in Kafka acknowledgements: `python tests/bench/one_client.py [--commands N] [--awake]`.

Ours: one client sends one mixed command after the other, over HTTP and then over Kafka, where it awaits the reply.
Theirs: a bare idempotent producer sends one record of 900 bytes after the other and awaits Kafka's acknowledgement.
The value is the p50; the goals are 3 acknowledgements over HTTP and 4 over Kafka. With `--awake`, no core halts while
they are measured, as on a machine that has other work to do. These figures have names of their own.
"""

import argparse
import asyncio
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.measuring import http_load, kafka_load
from bench.measuring.awake import cores_awake
from bench.measuring.comparison import ROUNDS, Done, Figure, Side, compare
from bench.measuring.http_load import Plan
from bench.measuring.kafka_load import Mode, Record, command_record
from bench.measuring.orgs import ORGS, Orgs
from bench.measuring.running import Bench, bench_orgs

HTTP = Figure("http_one_client", "HTTP at 1 client, in Kafka acks (p50)", 3, at_least=False, unit="s")
KAFKA = Figure("kafka_one_client", "Kafka at 1 client, in Kafka acks (p50)", 4, at_least=False, unit="s")
HTTP_AWAKE = replace(HTTP, file="http_one_client_awake", title=f"{HTTP.title}, cores awake")
KAFKA_AWAKE = replace(KAFKA, file="kafka_one_client_awake", title=f"{KAFKA.title}, cores awake")
ACKED = Record(0, b"bench", bytes(900))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=500, help="commands of each round")
    parser.add_argument("--orgs", type=int, default=ORGS)
    parser.add_argument("--awake", action="store_true", help="keep every core awake")
    args = parser.parse_args()
    figures = (HTTP_AWAKE, KAFKA_AWAKE) if args.awake else (HTTP, KAFKA)
    with bench_orgs(args.orgs) as (bench, orgs), cores_awake() if args.awake else nullcontext():
        asyncio.run(run(bench, orgs, args.commands, *figures))


async def run(bench: Bench, orgs: Orgs, commands: int, http: Figure, kafka: Figure) -> None:
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
    await compare(http, Side("HTTP", over_http, processes, value="p50"), theirs)
    await compare(kafka, Side("Kafka", over_kafka, processes, value="p50"), theirs)


if __name__ == "__main__":
    main()
