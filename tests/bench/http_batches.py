"""Batches of 200 over HTTP, against a FastAPI echo: `python tests/bench/http_batches.py [--commands N]`.

Ours: mixed commands in requests of 200, from 4 clients; the clock stops when all of them are projected. Theirs: one
command a request, from 100 clients, to an app that validates the envelope with pydantic and sends it back. The value is
commands or requests a second; the goal is 2.5 commands for each request of the echo.
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
from bench.measuring.orgs import ORGS, Orgs, batches
from bench.measuring.running import Bench, bench_orgs, log_end

FIGURE = Figure("http_batches", "batches of 200, commands per echo request", 2.5, at_least=True, unit="commands/s")
CLIENTS, BATCH, ECHO_CLIENTS = 4, 200, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=20_000, help="commands of each round")
    parser.add_argument("--orgs", type=int, default=ORGS)
    args = parser.parse_args()
    with bench_orgs(args.orgs) as (bench, orgs):
        asyncio.run(run(bench, orgs, args.commands))


async def run(bench: Bench, orgs: Orgs, commands: int) -> None:
    sends = [orgs.mixed(count) for count in (commands // WARMING, *[commands] * ROUNDS)]
    echoed = list(map(bench.request, sends[1][: commands // 2]))
    warm, *rounds = [[bench.batch(each) for each in batches(some, BATCH)] for some in sends]
    await http_load.run(Plan(bench.door, warm, CLIENTS))
    waiting = iter(rounds)

    async def decided() -> Done:
        before = await log_end(bench.settings)
        done = await http_load.run(Plan(bench.door, next(waiting), CLIENTS), items_in_each=BATCH)
        entries = await bench.until_projected() - before
        assert entries >= commands, f"{commands} commands gave only {entries} entries, so some were refused"
        return Done(commands, time.perf_counter() - done.values["began"], done.values)

    async with running_echo() as echo:
        ours = Side("Daybook", decided, bench.processes)
        asked = Plan(echo.url, echoed, ECHO_CLIENTS)
        theirs = Side("echo", lambda: http_load.run(asked), {"echo": echo.pid}, saturates="echo")
        await theirs.work()
        await compare(FIGURE, ours, theirs)


if __name__ == "__main__":
    main()
