"""Prints what an org in quarantine, and its healing, cost other orgs: `python tests/bench/poison.py [--entries N]
[--rounds N] [--samples N]`. It measures three states in turn. It asserts nothing about time: compare the ratios.
"""

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import say
from bench.quarantined_org import Neighbours, QuarantinedOrg, new_neighbours, new_org
from bench.systems import own_systems
from support.driving import open_database
from support.processes import System
from support.publisher import Publisher

STATES = ("nothing in quarantine", "an org in quarantine", "while it is healed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=20_000, help="entries of the org that is healed")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all three states")
    parser.add_argument(
        "--samples", type=int, default=20, help="commands of each other org in each round and state, except the healing"
    )
    args = parser.parse_args()
    with own_systems() as systems:
        asyncio.run(run(systems.start(partitions=2), args.entries, args.rounds, args.samples))


async def run(system: System, entries: int, rounds: int, samples: int) -> None:
    async with Publisher(system.settings) as publisher, open_database(system.settings) as database:
        org = await new_org(system, publisher, database, entries)
        states = {state: await new_neighbours(publisher, database, system.settings.partitions) for state in STATES}
        for _ in range(rounds):
            await one_round(org, [states[state] for state in STATES], samples)
    report(states, org)


async def one_round(org: QuarantinedOrg, states: list[Neighbours], samples: int) -> None:
    """Sends commands of the org in all three states, so that only their outcomes differ."""
    calm, quarantined, healed = states
    async with org.under_commands():
        await calm.sample(samples)
        await org.quarantine()
        await quarantined.sample(samples)
        async with org.healing() as process:
            while process.returncode is None:
                await healed.sample(1)


def report(states: dict[str, Neighbours], org: QuarantinedOrg) -> None:
    calm = states[STATES[0]]
    say(f"commands of the org itself: {org.accepted} accepted, {org.refused} refused")
    say(f"{len(org.heals.seconds)} healings of {org.heals.p50:.1f} s each (p50)")
    say(f"{'from publishing to the tables, of orgs in':<48} {'p50':>11} {'p95':>11}   ratios")
    for state, found in states.items():
        for name, timings, base in (
            ("its partition", found.same_partition, calm.same_partition),
            ("another partition", found.other_partition, calm.other_partition),
        ):
            figures = f"{timings.p50 * 1e3:8.2f} ms {timings.p95 * 1e3:8.2f} ms"
            ratios = f"{timings.p50 / base.p50:6.2f} {timings.p95 / base.p95:6.2f}"
            say(f"{f'{state}: {name}':<58} {figures} {ratios}   ({len(timings.seconds)})")


if __name__ == "__main__":
    main()
