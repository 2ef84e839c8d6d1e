"""The read API on a real database: positions, waiting for them, and ETags."""

import asyncio

from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from support.door_doubles import problem_of
from support.driving import fresh_id
from support.read_scene import ReadScene, set_checkpoint
from support.reading import ReadApi, reading

SHARED_DATABASE = True


async def test_an_unchanged_answer_is_304(api: ReadApi, scene: ReadScene) -> None:
    path, principal = f"{scene.own.path}/members", f"user:{scene.own.owner}"
    first = await api.get(path, principal)
    assert first.headers["cache-control"] == "private, no-cache"
    again = await api.get(path, principal, {"If-None-Match": f'"x", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = await api.get(path, principal, {"If-None-Match": first.headers["etag"]}, role="owner")
    assert other.status_code == 200


async def test_an_answer_has_the_position_of_its_orgs(api: ReadApi, scene: ReadScene) -> None:
    for path in (
        "/v1/orgs",
        scene.own.path,
        f"{scene.own.path}/members",
        f"{scene.own.path}/members/{scene.own.owner}",
    ):
        assert (await api.get(path, f"user:{scene.own.owner}")).headers["daybook-position"] == "0.23"


async def test_a_request_waits_until_a_position_is_in_the_tables(pool: Pool, api: ReadApi, scene: ReadScene) -> None:
    path, principal = f"{scene.own.path}/members", f"user:{scene.own.owner}"
    waiting = [
        asyncio.create_task(api.get(path, principal, {"Daybook-After": "0.24"})),
        asyncio.create_task(api.get(path, principal, after="0.24")),
        asyncio.create_task(api.get("/v1/positions/0.24", principal)),
    ]
    done, _ = await asyncio.wait(waiting, timeout=0.2)
    assert not done
    await set_checkpoint(pool, 0, 24)
    assert [(await each).status_code for each in waiting] == [200, 200, 204]


async def test_a_header_that_names_two_positions_is_refused(api: ReadApi, scene: ReadScene) -> None:
    """If one of them were ignored, the answer could lack one of the client's own writes."""
    token = ("Authorization", f"Bearer {api.token(f'user:{scene.own.owner}')}")
    for values in (("0.1", "0.99"), ("0.99", "0.1"), ("0.1", "0.1")):
        headers = [token, *(("Daybook-After", value) for value in values)]
        answer = await api.client.get(f"{scene.own.path}/members", headers=headers)
        assert problem_of(answer) == (400, "INVALID_QUERY")


async def test_white_space_around_a_position_in_a_header_is_ignored(api: ReadApi, scene: ReadScene) -> None:
    path, principal = f"{scene.own.path}/members", f"user:{scene.own.owner}"
    for value in ("0.1 ", "0.1\t", "0.1 \t "):
        assert (await api.get(path, principal, {"Daybook-After": value})).status_code == 200
        assert (await api.get(path, principal, {"Daybook-After": value}, after="0.1")).status_code == 200
    assert problem_of(await api.get(path, principal, {"Daybook-After": "0. 1"})) == (400, "INVALID_QUERY")


async def test_a_position_that_is_not_projected_in_time_is_504(
    pool: Pool, settings: Settings, scene: ReadScene
) -> None:
    async with reading(settings.model_copy(update={"wait_seconds": 0.05})) as api:
        principal = f"user:{scene.own.owner}"
        for asked in (
            api.get(scene.own.path, principal, {"Daybook-After": "0.99"}),
            api.get("/v1/orgs", principal, after="0.99"),
            api.get("/v1/positions/0.99", principal),
            api.get("/v1/positions/0.99", principal, wait=0),
        ):
            assert problem_of(await asked) == (504, "NOT_PROJECTED")
        for wait in (0, 1e-05):
            assert (await api.get("/v1/positions/0.23", principal, wait=wait)).status_code == 204


async def test_waiting_for_an_org_in_quarantine_is_refused_to_those_who_see_it(
    pool: Pool, api: ReadApi, scene: ReadScene
) -> None:
    await pool.execute("INSERT INTO daybook.quarantine VALUES ($1, 0, 3, 'a test')", scene.own.org_id)
    path, after = f"{scene.own.path}/members", {"Daybook-After": "0.1"}
    assert problem_of(await api.get(path, f"user:{scene.own.owner}", after)) == (503, "ORG_QUARANTINED")
    assert problem_of(await api.get(scene.own.path, f"user:{scene.own.owner}", after)) == (503, "ORG_QUARANTINED")
    assert (await api.get(path, f"user:{scene.own.owner}")).status_code == 200
    assert problem_of(await api.get(path, f"user:{scene.stranger}", after)) == (404, "NOT_FOUND")
    assert problem_of(await api.get(scene.own.path, f"user:{scene.stranger}", after)) == (404, "NOT_FOUND")


async def test_a_thing_that_is_missing_because_its_org_is_in_quarantine_is_503_to_those_who_wait(
    pool: Pool, api: ReadApi, scene: ReadScene
) -> None:
    """The entry that created the thing was not applied."""
    await pool.execute("INSERT INTO daybook.quarantine VALUES ($1, 0, 3, 'a test')", scene.own.org_id)
    new, after = fresh_id(), {"Daybook-After": "0.1"}
    for below in (
        f"/connections/{new}",
        f"/sync-runs/{new}",
        f"/projects/{new}",
        f"/projects/{new}/members",
        f"/projects/{new}/members/{scene.own.owner}",
    ):
        path = scene.own.path + below
        for principal in (f"user:{scene.own.owner}", "service:worker"):
            assert problem_of(await api.get(path, principal, after)) == (503, "ORG_QUARANTINED")
            assert problem_of(await api.get(path, principal)) == (404, "NOT_FOUND")
        assert problem_of(await api.get(path, f"user:{scene.stranger}", after)) == (404, "NOT_FOUND")
