"""The read API with the login that `daybook init` makes for the projector, which is neither owner nor superuser."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from daybook_infra.runtime.postgres.connections import Pool, connect
from daybook_infra.runtime.postgres.logins import PROJECTOR, ensure_logins
from daybook_infra.runtime.settings import Settings
from support.door_doubles import problem_of
from support.read_scene import ReadScene, append
from support.reading import ReadApi, following, serving
from support.supabase import PASSWORD, as_role

SHARED_DATABASE = True


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[ReadApi]:
    await ensure_logins(settings.model_copy(update={"projector_password": SecretStr(PASSWORD)}))
    url = as_role(settings.database_url.get_secret_value(), PROJECTOR.name)
    async with serving(settings.model_copy(update={"database_url": SecretStr(url)})) as api:
        async with connect(api.settings, "test") as connection:
            assert await connection.fetchval("SELECT session_user || ' as ' || current_user") == (
                "daybook_projector_login as daybook_projector"
            )
        yield api


async def test_the_projectors_login_reads_as_each_caller(api: ReadApi, scene: ReadScene) -> None:
    org = scene.own
    for principal, entries, letters in (
        (f"user:{org.owner}", 12, 8),
        (f"user:{org.editor}", 0, 4),
        (f"user:{org.member}", 0, 0),
        ("service:worker", 12, 8),
    ):
        for _ in range(2):
            assert len(await api.walk(f"{org.path}/audit-log", principal)) == entries
            assert len(await api.walk(f"{org.path}/dead-letters", principal)) == letters
    assert problem_of(await api.get(org.path, f"user:{scene.stranger}")) == (404, "NOT_FOUND")
    assert (await api.get("/v1/orgs", f"user:{org.owner}")).headers["daybook-position"] == "0.23"


async def test_the_projectors_login_feeds_streams(pool: Pool, api: ReadApi, scene: ReadScene) -> None:
    org = scene.own
    async with following(api, org.path, f"user:{org.admin}", after="0.10") as stream:
        await stream.until(11)
        await append(pool, org, [24])
        await stream.until(11, 24)
        await append(pool, org, [25], "DELETE FROM org_members WHERE org_id = $1 AND role = 'admin'")
        await stream.until_ended()
        assert (stream.positions, stream.comments[-1]) == ([11, 24], "right_gone")
