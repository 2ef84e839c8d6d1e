"""A sample of the matrix of rights over HTTP: the running system gives the verdicts of the table of rights."""

import asyncio
from collections.abc import Iterable
from random import Random
from uuid import UUID

from daybook_infra.runtime.postgres.connections import Connection
from support.chain import Json
from support.driving import over_http, register, send_all, send_until_accepted
from support.matrix import Cell, Verdict, cells, verdict
from support.matrix_scene import PEOPLE, Scene, person
from support.publisher import Door

SEED = 20_261_122
SAMPLE = 200
CONCURRENCY = 8
ANSWERS = {
    Verdict.ALLOWED: (200, None),
    Verdict.FORBIDDEN: (403, "FORBIDDEN"),
    Verdict.ORG_NOT_FOUND: (404, "ORG_NOT_FOUND"),
}


async def test_a_sample_of_the_matrix_has_the_verdicts_of_the_table(door: Door, database: Connection) -> None:
    sample = draw_sample(Random(SEED))
    await register(door, database, map(person, PEOPLE))
    await create_all(door, {scene for _, scene in sample})
    sends = [scene.attempt(cell) for cell, scene in sample]
    cell_of = {send.command["id"]: cell for send, (cell, _) in zip(sends, sample, strict=True)}
    tried = [(cell_of[send.command["id"]], answer) for send, answer in await send_all(sends, [over_http(door)])]
    mismatches = [f"{cell}: {answer}" for cell, answer in tried if not matches(cell, answer)]
    summary = f"seed {SEED}, {len(mismatches)} of {SAMPLE} cells do not match the table:"
    assert not mismatches, "\n".join([summary, *mismatches])


def draw_sample(random: Random) -> list[tuple[Cell, Scene]]:
    """Draws cells at random, each with the org to run it in. Refused commands do not change their org, so they share
    one; each allowed command has its own.
    """
    shared = Scene(str(UUID(int=random.getrandbits(128), version=4)))
    own = (Scene(str(UUID(int=random.getrandbits(128), version=4))) for _ in range(SAMPLE))
    sample = random.sample(cells(), SAMPLE)
    return [(cell, next(own) if verdict(cell.row, cell.actor) is Verdict.ALLOWED else shared) for cell in sample]


async def create_all(door: Door, scenes: Iterable[Scene]) -> None:
    waiting = iter(scenes)

    async def work() -> None:
        for scene in waiting:
            await send_until_accepted(door, scene.founding())

    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(work())


def matches(cell: Cell, answer: Json) -> bool:
    """Whether an answer has the expected verdict. A refusal must be a decision in the log, not one of the HTTP API."""
    expected = verdict(cell.row, cell.actor)
    assert expected is not None
    if (answer["status"], answer.get("code")) != ANSWERS[expected]:
        return False
    if expected is Verdict.ALLOWED:
        return [entry["action"] for entry in answer["entries"]] == [cell.row.type, *cell.row.policy]
    return "entry_id" in answer
