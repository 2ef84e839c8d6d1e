"""A rebuild on a real PostgreSQL finds, reports and corrects every kind of damage to the tables."""

import pytest

from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.rebuild.whole_rebuild import open_whole_rebuild
from support.healing import silent
from support.projecting import check_fold, post, tables
from support.rebuilding import DAMAGES, EMPTIED, LEFT_OVER, Damage, compare, full, hurt, rebuild
from support.recounted import ACTIVITY

SHARED_DATABASE = True


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
async def test_damage_is_found_and_corrected(settings: Settings, pool: Pool, damage: Damage) -> None:
    log = full()
    assert await post(pool, log) == []
    await hurt(pool, damage)
    before = await tables(pool)
    async with open_whole_rebuild(settings, "audit_log", silent) as rebuilding:
        assert (await rebuilding.compare()).differences == damage.found
        assert await tables(pool) == before
        assert tuple(filter(None, await rebuilding.apply())) == damage.found
    await check_fold(pool, log)
    assert not await compare(settings)
    assert await pool.fetchval(LEFT_OVER) == 0


async def test_emptied_tables_are_filled_again(settings: Settings, pool: Pool) -> None:
    log = full()
    await post(pool, log)
    await hurt(pool, EMPTIED)
    assert {each.table for each in await rebuild(settings)} == {
        "auth.users",
        ACTIVITY,
        *(f"public.{name}" for name in await tables(pool) if name not in {"auth.users", "audit_log", ACTIVITY}),
    }
    await check_fold(pool, log)
