"""A sample of the matrix of rights over HTTP: the running system gives the verdict that the table gives."""

import asyncio
from collections.abc import Iterable
from functools import partial
from random import Random
from uuid import UUID

import pytest

from daybook_infra.runtime.postgres.connections import Connection
from support.chain import Json
from support.driving import eventually, post_batch, register, send_all, through
from support.matrix import Cell, Verdict, cells, verdict
from support.matrix_scene import PEOPLE, Scene, person
from support.publisher import Door
from support.workload import SERVICE

pytestmark = pytest.mark.e2e
SEED = 20_261_122
SAMPLE = 200
FOUNDED_AT_ONCE = 8
UNDECIDED = {202, 503}
ANSWERS = {
    Verdict.ALLOWED: (200, None),
    Verdict.FORBIDDEN: (403, "FORBIDDEN"),
    Verdict.ORG_NOT_FOUND: (404, "ORG_NOT_FOUND"),
}


async def test_a_sample_of_the_matrix_ends_over_http_as_the_table_says(door: Door, database: Connection) -> None:
    sample = dealt(Random(SEED))
    await register(door, database, map(person, PEOPLE))
    await found_all(door, {scene for _, scene in sample})
    sends = [scene.attempt(cell) for cell, scene in sample]
    of = {send.command["id"]: cell for send, (cell, _) in zip(sends, sample, strict=True)}
    tried = [(of[send.command["id"]], answer) for send, answer in await send_all(sends, [through(door)])]
    wrong = [f"{cell}: {answer}" for cell, answer in tried if not fits(cell, answer)]
    assert not wrong, "\n".join([f"seed {SEED}, {len(wrong)} of {SAMPLE} cells are not as the table says:", *wrong])


def dealt(random: Random) -> list[tuple[Cell, Scene]]:
    """What is refused leaves its org as it was, so all of that shares one; whoever may has one of its own."""
    shared = Scene(str(UUID(int=random.getrandbits(128), version=4)))
    own = (Scene(str(UUID(int=random.getrandbits(128), version=4))) for _ in range(SAMPLE))
    sample = random.sample(cells(), SAMPLE)
    return [(cell, next(own) if verdict(cell.row, cell.actor) is Verdict.ALLOWED else shared) for cell in sample]


async def found_all(door: Door, scenes: Iterable[Scene]) -> None:
    waiting = iter(scenes)

    async def work() -> None:
        for scene in waiting:
            # What is not decided in time is sent again, with the same ids.
            await eventually(partial(found, door, scene), seconds=30)

    async with asyncio.TaskGroup() as group:
        for _ in range(FOUNDED_AT_ONCE):
            group.create_task(work())


async def found(door: Door, scene: Scene) -> bool:
    items = await post_batch(door, scene.founding(), SERVICE)
    refused = [item for item in items if item["status"] not in {200, *UNDECIDED}]
    assert not refused, f"seed {SEED}: {refused}"
    return all(item["status"] == 200 for item in items)


def fits(cell: Cell, answer: Json) -> bool:
    """A refusal that was decided has an entry; one of the token has none."""
    wanted = verdict(cell.row, cell.actor)
    assert wanted is not None
    if (answer["status"], answer.get("code")) != ANSWERS[wanted]:
        return False
    if wanted is Verdict.ALLOWED:
        return [entry["action"] for entry in answer["entries"]] == [cell.row.type, *cell.row.policy]
    return "entry_id" in answer
