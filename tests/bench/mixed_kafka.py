"""Mixed commands over Kafka, against `eventsourcing`: `python tests/bench/mixed_kafka.py [--commands N]` (needs
`make .venv/bench-installed`).

Ours: commands are published in batches, and each gets a reply; one instance of each service; the clock stops when all
replies are read and all is projected. Theirs: the same commands on aggregates of the library `eventsourcing`, on the
same PostgreSQL, by 8 threads of one process (measuring/org_aggregates.py says what the library need not do). The value
is commands a second; the goal is 15 times theirs.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.measuring import kafka_load
from bench.measuring.comparison import ROUNDS, WARMING, Done, Figure, Side, compare
from bench.measuring.kafka_load import Mode, command_record
from bench.measuring.library_side import running_library
from bench.measuring.orgs import ORGS, Orgs
from bench.measuring.running import Bench, bench_orgs
from support.publisher import Send

FIGURE = Figure("mixed_kafka", "mixed commands over Kafka, against eventsourcing", 15, at_least=True, unit="commands/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=20_000, help="commands of each round")
    parser.add_argument("--orgs", type=int, default=ORGS)
    args = parser.parse_args()
    with bench_orgs(args.orgs) as (bench, orgs):
        asyncio.run(run(bench, orgs, args.commands))


async def run(bench: Bench, orgs: Orgs, commands: int) -> None:
    counts = (commands // WARMING, *[commands] * ROUNDS)
    waiting = iter([*map(orgs.mixed, counts)])

    async def decided() -> Done:
        return await flood(bench, next(waiting))

    async with running_library(bench, orgs, counts) as theirs:
        await decided()
        await compare(FIGURE, Side("Daybook", decided, bench.processes), theirs)


async def flood(bench: Bench, sends: Sequence[Send]) -> Done:
    records = [command_record(send, bench.settings.partitions) for send in sends]
    done = await kafka_load.run(bench.settings, Mode.FLOOD, "commands", records)
    await bench.until_projected()
    return Done(len(sends), time.perf_counter() - done.values["began"], done.values)


if __name__ == "__main__":
    main()
