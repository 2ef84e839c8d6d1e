"""Clients read page after page while rows come and go. Each row that exists throughout is visited exactly once."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine, Sized
from contextlib import suppress
from typing import Any

from daybook_infra.runtime.postgres.connections import Pool
from support.driving import fresh_id
from support.planted_rows import plant
from support.read_scene import ReadOrg, ReadScene
from support.reading import ReadApi

SHARED_DATABASE = True
CLIENTS = 20
ROWS = 300


async def walk_while(
    api: ReadApi, path: str, org: ReadOrg, change: Coroutine[Any, Any, None], changes: Sized
) -> list[Counter[str]]:
    """How often each client visited each row while `change` was running. Cancels `change` at the end. `changes` grows
    with each change.
    """
    changing = asyncio.create_task(change)
    limits = [random.Random(at).randint(7, 120) for at in range(CLIENTS)]
    walks = [asyncio.create_task(api.walk(f"{org.path}/{path}", f"user:{org.owner}", limit=limit)) for limit in limits]
    found = [Counter(item["id"] for item in await walk) for walk in walks]
    changing.cancel()
    with suppress(asyncio.CancelledError):
        await changing
    assert changes
    return found


async def test_dead_letters_that_are_there_throughout_are_visited_once(
    pool: Pool, api: ReadApi, scene: ReadScene
) -> None:
    org = scene.own
    lasting = [fresh_id() for _ in range(ROWS)]
    await plant(
        pool, {"dlq_events": [(id_, org.connections[at % 2], {}, "pending", 0) for at, id_ in enumerate(lasting)]}
    )

    changed = list[str]()

    async def change() -> None:
        drawn = random.Random(1)
        while True:
            added = [fresh_id() for _ in range(5)]
            more: list[tuple[Any, ...]] = [(id_, drawn.choice(org.connections), {}, "pending", 0) for id_ in added]
            await plant(pool, {"dlq_events": more})
            await pool.execute("UPDATE dlq_events SET status = 'resolved' WHERE id = ANY ($1)", added[:2])
            await pool.execute(
                "UPDATE dlq_events SET retry_count = retry_count + 1 WHERE id = $1", drawn.choice(lasting)
            )
            await pool.execute("DELETE FROM dlq_events WHERE id = ANY ($1)", added[1:4])
            changed.extend(added)

    for visited in await walk_while(api, "dead-letters", org, change(), changed):
        assert {id_: visited[id_] for id_ in lasting} == dict.fromkeys(lasting, 1)
        assert set(visited.values()) == {1}


async def test_a_dead_letter_that_is_resolved_meanwhile_is_visited_once(
    pool: Pool, api: ReadApi, scene: ReadScene
) -> None:
    org = scene.own
    path, principal = f"{org.path}/dead-letters", f"user:{org.owner}"
    first = (await api.get(path, principal, limit=4)).json()
    await pool.execute("UPDATE dlq_events SET status = CASE status WHEN 'pending' THEN 'resolved' ELSE 'pending' END")
    rest = await api.walk(path, principal, cursor=first["next"], limit=2)
    assert sorted(row["id"] for row in [*first["items"], *rest]) == sorted(org.letters)


async def test_entries_are_visited_once_while_others_are_appended(pool: Pool, api: ReadApi, scene: ReadScene) -> None:
    org = scene.own
    made = [fresh_id() for _ in range(ROWS)]

    appended = list[str]()

    async def append() -> None:
        for at, id_ in enumerate(made, start=len(org.entries)):
            await plant(pool, {"audit_log": [(*org.entry(id_, at, 0)[:-1], f"2026-11-22T16:00:00.{at:06d}Z")]})
            appended.append(id_)

    for visited in await walk_while(api, "audit-log", org, append(), appended):
        assert {id_: visited[id_] for id_ in org.entries} == dict.fromkeys(org.entries, 1)
        assert set(visited.values()) == {1}


async def test_runs_are_visited_once_while_others_start_and_end(pool: Pool, api: ReadApi, scene: ReadScene) -> None:
    org = scene.own
    lasting = [fresh_id() for _ in range(ROWS)]
    times = [f"2026-11-22T14:{at // 60:02d}:{at % 60:02d}Z" for at in range(ROWS)]
    await plant(
        pool,
        {
            "sync_runs": [
                (id_, org.connections[at % 2], "running", times[at // 3], None, None) for at, id_ in enumerate(lasting)
            ]
        },
    )

    changed = list[str]()

    async def change() -> None:
        drawn = random.Random(2)
        while True:
            chosen = drawn.sample(lasting, 5)
            await pool.execute(
                "UPDATE sync_runs SET status = $2 WHERE id = ANY ($1)", chosen, drawn.choice(("failed", "success"))
            )
            await plant(pool, {"sync_runs": [(fresh_id(), org.connections[0], "running", "now", None, None)]})
            changed.extend(chosen)

    for visited in await walk_while(api, "sync-runs", org, change(), changed):
        assert {id_: visited[id_] for id_ in lasting} == dict.fromkeys(lasting, 1)
        assert set(visited.values()) == {1}
