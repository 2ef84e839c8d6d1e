"""Prints what a million dead letters cost: `python tests/bench/dead_letters.py [--rows N]`. It starts a stack and both
services of its own, and asserts nothing about time: look at the ratios, for the machine makes all else.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.dead_letter_loads import Sizes, bulks, deletion, memory, programs, singles
from bench.figures import say
from bench.scene import SETTLE, scene
from daybook_infra.runtime.settings import Settings
from support.processes import System, Systems
from support.stack import Fresh, servers

FEW, LEAST = 10, 50_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="pending dead letters of the large connection")
    parser.add_argument("--commands", type=int, default=300, help="single commands of each kind and connection")
    asked = parser.parse_args()
    if asked.rows < LEAST:
        parser.error(f"--rows: at least {LEAST}, or the bulk commands run out of them")
    sizes = Sizes(asked.rows, asked.commands)
    with servers(Settings()) as found, tempfile.TemporaryDirectory() as folder:
        fresh, systems = Fresh(found), None
        try:
            systems = Systems(fresh, Path(folder))
            asyncio.run(run(systems.start(), sizes))
        finally:
            if systems is not None:
                systems.stop()
            fresh.drop()


async def run(system: System, sizes: Sizes) -> None:
    async with scene(system) as here:
        few, many = await here.connection(FEW), await here.connection(sizes.rows, sizes.rows // sizes.unretried)
        middle, program = await here.connection(sizes.middle), await here.connection(sizes.program)
        await here.database.execute(SETTLE, timeout=300)
        say(f"{'p50 of one command':<48} {FEW:>8} rows {sizes.rows:>8} rows   ratio")
        await singles(here, few, many, sizes)
        say(f"{'p50 of one bulk command on 1000':<48} {sizes.middle:>8} rows {sizes.rows:>8} rows   ratio")
        await bulks(here, middle, many, sizes)
        await programs(here, program, sizes)
        await memory(here, many, sizes)
        await deletion(here, many)


if __name__ == "__main__":
    main()
