"""Prints what a million dead letters cost: `python tests/bench/dead_letters.py [--rows N]`. It starts its own stack and
services. It asserts nothing about time: compare the ratios, because absolute times depend on the machine.
"""

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.bench_org import SETTLE, new_org
from bench.dead_letter_loads import Sizes, bulks, deletion, memory, programs, singles
from bench.figures import say
from bench.systems import own_systems
from support.processes import System

FEW, MIN_ROWS = 10, 50_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="pending dead letters of the large connection")
    parser.add_argument("--commands", type=int, default=300, help="single commands of each kind and connection")
    args = parser.parse_args()
    if args.rows < MIN_ROWS:
        parser.error(f"--rows must be at least {MIN_ROWS}, so that the bulk commands have enough dead letters")
    sizes = Sizes(args.rows, args.commands)
    with own_systems() as systems:
        asyncio.run(run(systems.start(), sizes))


async def run(system: System, sizes: Sizes) -> None:
    async with new_org(system) as org:
        few, many = (
            await org.create_connection(FEW),
            await org.create_connection(sizes.rows, sizes.rows // sizes.unretried),
        )
        middle, program = await org.create_connection(sizes.middle), await org.create_connection(sizes.program)
        await org.database.execute(SETTLE, timeout=300)
        say(f"{'p50 of one command':<48} {FEW:>8} rows {sizes.rows:>8} rows   ratio")
        await singles(org, few, many, sizes)
        say(f"{'p50 of one bulk command on 1000':<48} {sizes.middle:>8} rows {sizes.rows:>8} rows   ratio")
        await bulks(org, middle, many, sizes)
        await programs(org, program, sizes)
        await memory(org, many, sizes)
        await deletion(org, many)


if __name__ == "__main__":
    main()
