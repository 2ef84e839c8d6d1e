"""HTTP at 100 clients, against a FastAPI echo: `python tests/bench/http_echo.py [--commands N]`.

Ours: mixed commands on 1,000 orgs, one HTTP request each; the clock stops when all of them are projected. Theirs: the
same requests, from the same generator, to an app that validates the envelope with pydantic and sends it back. The
value is requests a second; the goal is 0.8 of the echo's.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.measuring import http_load
from bench.measuring.comparison import ROUNDS, WARMING, Done, Figure, Side, compare
from bench.measuring.echo import running_echo
from bench.measuring.http_load import Plan
from bench.measuring.orgs import ORGS, Orgs
from bench.measuring.running import Bench, bench_orgs

FIGURE = Figure("http_echo", "HTTP at 100 clients, against the echo", 0.8, at_least=True, unit="requests/s")
CLIENTS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=10_000, help="commands of each round")
    parser.add_argument("--orgs", type=int, default=ORGS)
    args = parser.parse_args()
    with bench_orgs(args.orgs) as (bench, orgs):
        asyncio.run(run(bench, orgs, args.commands))


async def run(bench: Bench, orgs: Orgs, commands: int) -> None:
    warm, *rounds = [
        list(map(bench.request, orgs.mixed(count))) for count in (commands // WARMING, *[commands] * ROUNDS)
    ]
    await http_load.run(Plan(bench.door, warm, CLIENTS))
    waiting = iter(rounds)

    async def decided() -> Done:
        done = await http_load.run(Plan(bench.door, next(waiting), CLIENTS))
        await bench.until_projected()
        return Done(commands, time.perf_counter() - done.values["began"], done.values)

    async with running_echo() as echo:
        ours = Side("Daybook", decided, bench.processes)
        theirs = Side(
            "echo", lambda: http_load.run(Plan(echo.url, rounds[0], CLIENTS)), {"echo": echo.pid}, saturates="echo"
        )
        await theirs.work()
        await compare(FIGURE, ours, theirs)


if __name__ == "__main__":
    main()
