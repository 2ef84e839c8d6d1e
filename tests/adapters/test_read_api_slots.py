"""Slow reads of one caller leave connections for other callers."""

import asyncio

from daybook_infra.runtime.postgres.connections import Pool
from daybook_projector.read_api.database import CALLER_CONNECTIONS, CONNECTIONS
from support.driving import eventually
from support.read_scene import ReadScene
from support.reading import ReadApi

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'dlq_events'::regclass"


async def test_others_are_answered_while_one_callers_reads_are_slow(pool: Pool, api: ReadApi, scene: ReadScene) -> None:
    path = scene.own.path
    async with pool.acquire() as lock, lock.transaction():
        await lock.execute("LOCK TABLE dlq_events IN ACCESS EXCLUSIVE MODE")
        slow = [
            asyncio.create_task(api.get(f"{path}/dead-letters", f"user:{scene.own.owner}"))
            for _ in range(2 * CONNECTIONS)
        ]

        async def all_slots_are_taken() -> bool:
            return bool(await pool.fetchval(WAITING) >= CALLER_CONNECTIONS)

        await eventually(all_slots_are_taken)
        for person in (scene.own.admin, scene.own.editor):
            answer = await api.get(f"{path}/members", f"user:{person}")
            assert answer.status_code == 200
        assert not any(each.done() for each in slow)
        assert await pool.fetchval(WAITING) == CALLER_CONNECTIONS
    assert {(await each).status_code for each in slow} == {200}
