"""Other tasks get turns while many configs that were read from PostgreSQL are hashed."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from uuid import uuid4

import pytest
from asyncpg import Record

from daybook_command.domain.references import ChildKind, ChildRef
from daybook_command.postgres import child_rows
from daybook_command.postgres.child_rows import ChildIds, ChildRows
from daybook_command.postgres.known import find_known
from daybook_command.shard.snapshot import Needs, OrgNeeds
from daybook_infra.runtime.postgres.connections import Connection

ORG = str(uuid4())
CONNECTIONS = [str(uuid4()) for _ in range(20)]
FOUND: Mapping[str, Any] = {
    "runs": [],
    "dead_letters": [],
    "alerts": [],
    "activities": [(ORG, id_, '{"rate": 1.5e-9}', None, 0, 0) for id_ in CONNECTIONS],
}
ASKED = ChildIds(activities=frozenset((ORG, id_) for id_ in CONNECTIONS))


@contextmanager
def noting_turns() -> Iterator[list[float]]:
    """The monotonic times of the event loop's turns."""
    turns: list[float] = []

    async def note() -> None:
        while True:
            turns.append(time.monotonic())
            await asyncio.sleep(0)

    task = asyncio.create_task(note())
    yield turns
    task.cancel()


async def test_other_tasks_get_turns_between_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_rows, "SLICE_SECONDS", -1.0)
    rows = ChildRows()
    with noting_turns() as turns:
        await rows.add(ASKED, cast("Record", FOUND))
    assert len(turns) >= len(CONNECTIONS)
    assert list(rows.activities[ORG]) == CONNECTIONS


async def test_the_time_for_hashing_does_not_look_like_clock_skew(monkeypatch: pytest.MonkeyPatch) -> None:
    """`read_at` is the time of PostgreSQL's answer. It is subtracted from the time of the decision."""
    monkeypatch.setattr(child_rows, "SLICE_SECONDS", -1.0)

    class Answer:
        async def fetchrow(self, *_: object) -> Mapping[str, Any]:
            rest = ("checkpoints", "entry_ids", "users", "pinned", "quarantine")
            return {"standby": False, "now_us": 0, **FOUND, **dict.fromkeys(rest, ())}

    orgs = (OrgNeeds(ORG, 0, named=frozenset(ChildRef(ChildKind.CONNECTION, id_) for id_ in CONNECTIONS)),)
    with noting_turns() as turns:
        known = await find_known(cast("Connection", Answer()), {3: Needs(orgs=orgs)}, orgs)
    assert known.read_at <= turns[0]
    assert list(known.children.activities[ORG]) == CONNECTIONS
