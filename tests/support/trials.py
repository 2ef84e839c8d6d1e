"""Runs one schedule of the simulated system from a seed, and judges it."""

import random

from msgspec.structs import replace

from daybook_projector.projections.changes import FoldError
from support.judges import judge
from support.simulated_commands import EVERYTHING, HUB, PARTITIONS, PEOPLE, records
from support.simulation import CONFIG, Arrivals, World
from support.surroundings import Failed

COMMANDS, STEPS = 50, 400


def run_schedule(seed: int, arrivals: Arrivals = "both") -> World:
    """Runs a schedule. Raises every fault as `Failed`, including unexpected exceptions and changes that
    tables refuse.
    """
    draw = random.Random(seed)
    config = replace(
        CONFIG,
        partitions=PARTITIONS,
        cache_bytes=draw.randint(1_000, 6_000),
        max_tail=draw.choice([32_000, 4_000_000]),
        max_commands=5,
    )
    population = draw.choice([EVERYTHING, HUB]) if arrivals == "kafka" else EVERYTHING
    world = World(seed, records(seed, COMMANDS, population), frozenset(PEOPLE), config, arrivals=arrivals)
    try:
        world.run(STEPS)
    except Failed:
        raise
    except FoldError as refusal:
        raise Failed("constraints", str(refusal)) from refusal
    except Exception as bug:
        raise Failed("bugs", f"{type(bug).__name__}: {bug}") from bug
    return world


def verdict(seed: int, arrivals: Arrivals = "both") -> Failed | None:
    return judged(ended_world(seed, arrivals))


def ended_world(seed: int, arrivals: Arrivals = "both") -> World | Failed:
    """Like `run_schedule`, but returns the fault instead of raising it."""
    try:
        return run_schedule(seed, arrivals)
    except Failed as failed:
        return failed


def judged(ended: World | Failed) -> Failed | None:
    """The fault that ended the schedule, or the first fault that a judge finds."""
    if isinstance(ended, Failed):
        return ended
    try:
        judge(ended)
    except Failed as failed:
        return failed
    return None
