"""The live stream of an org's log on a real database: which entries come, how a stream resumes, and when it ends."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.read_api.stream import hub, log_reads
from support.door_doubles import problem_of
from support.projecting import until
from support.read_scene import ReadScene, append
from support.reading import Follower, ReadApi, following, serving

SHARED_DATABASE = True
# In the scene, the entries of `scene.own` have the positions 0 to 11, and the checkpoint is at 23.
LAST = 23


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[ReadApi]:
    async with serving(settings) as api:
        yield api


async def test_new_entries_come_as_they_are_projected(pool: Pool, api: ReadApi, scene: ReadScene) -> None:
    org = scene.own
    async with following(api, org.path, f"user:{org.owner}") as stream:
        assert stream.events == [(f"0.{LAST}", None)]
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["daybook-position"] == f"0.{LAST}"
        await append(pool, org, [24, 25])
        await stream.until(24, 25)
        await append(pool, scene.other, [26])
        await append(pool, org, [27])
        await stream.until(24, 25, 27)
        page = await api.items(f"{org.path}/audit-log", f"user:{org.owner}", limit=3)
    assert [entry for _, entry in stream.events[1:]] == page[::-1]


async def test_a_stream_resumes_after_the_last_entry(pool: Pool, api: ReadApi, scene: ReadScene) -> None:
    org, owner = scene.own, f"user:{scene.own.owner}"
    async with following(api, org.path, owner, after="0.9") as stream:
        await stream.until(10, 11)
        await append(pool, org, [24])
        await stream.until(10, 11, 24)
    async with following(api, org.path, owner, {"Last-Event-ID": "0.10"}, after="0.3") as stream:
        await stream.until(11, 24)
    for after, expected in (
        ("0.24", ()),
        ("0.99", ()),
        ("0.23", (24,)),
        ("0.0", (*range(1, 12), 24)),
        ("start", (*range(12), 24)),
    ):
        async with following(api, org.path, owner, after=after) as stream:
            await stream.until(*expected)


async def test_clients_that_reconnect_get_each_entry_once(
    pool: Pool, api: ReadApi, scene: ReadScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reads, "MISSED_ROWS", 3)
    monkeypatch.setattr(log_reads, "MISSED", log_reads.MISSED.replace("LIMIT 200", "LIMIT 3"))
    org, owner, wanted = scene.own, f"user:{scene.own.owner}", [*range(12), *range(24, 164)]

    async def write() -> None:
        for at in range(24, 164, 2):
            await append(pool, org, [at, at + 1])

    async def follow(most: int) -> list[int]:
        """Opens a new stream after every `most` entries; returns the positions that came."""
        found = [0]
        while len(found) < len(wanted):
            async with following(api, org.path, owner, {"Last-Event-ID": f"0.{found[-1]}"}) as stream:
                enough = min(most, len(wanted) - len(found))
                await until(partial(has, stream, enough), f"{most} entries after {found[-1]}")
                found += stream.positions[:most]
        return found

    def has(stream: Follower, count: int) -> bool:
        return len(stream.positions) >= count

    writing = asyncio.create_task(write())
    follows = [asyncio.create_task(follow(most)) for most in (2, 7, 20, 40)]
    for each in follows:
        assert await each == wanted
    await writing


async def test_an_entry_that_comes_while_a_stream_catches_up_is_not_missed(
    pool: Pool, api: ReadApi, scene: ReadScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another stream has the entry already, so the hub does not read it again for this one."""
    org, read = scene.own, log_reads.missed_entries
    async with following(api, org.path, f"user:{org.admin}") as other:

        async def read_before_an_entry(*arguments: Any) -> Any:
            found = await read(*arguments)
            if not other.positions:
                await append(pool, org, [24])
                await other.until(24)
            return found

        monkeypatch.setattr(log_reads, "missed_entries", read_before_an_entry)
        async with following(api, org.path, f"user:{org.owner}", after="0.10") as stream:
            await stream.until(11, 24)


async def test_an_entry_that_comes_while_a_stream_opens_is_not_missed(
    pool: Pool, api: ReadApi, scene: ReadScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another stream already has the entry when the new one joins."""
    org, read = scene.own, log_reads.last_entry_time
    async with following(api, org.path, f"user:{org.admin}") as other:

        async def read_before_an_entry(*arguments: Any) -> Any:
            found = await read(*arguments)
            await append(pool, org, [24])
            await other.until(24)
            return found

        monkeypatch.setattr(log_reads, "last_entry_time", read_before_an_entry)
        async with following(api, org.path, f"user:{org.owner}") as stream:
            assert stream.events[0] == (f"0.{LAST}", None)
            await append(pool, org, [25])
            await stream.until(24, 25)
            await other.until(24, 25)


async def test_a_stream_ends_if_its_user_loses_the_right_before_it_has_caught_up(
    pool: Pool, api: ReadApi, scene: ReadScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, read = scene.own, log_reads.last_entry_time

    async def read_before_the_loss(*arguments: Any) -> Any:
        found = await read(*arguments)
        await pool.execute("DELETE FROM org_members WHERE user_id = $1", org.admin)
        return found

    monkeypatch.setattr(log_reads, "last_entry_time", read_before_the_loss)
    async with following(api, org.path, f"user:{org.admin}", after="0.3") as stream:
        await stream.until_ended()
        assert (stream.positions, stream.comments[-1]) == ([], "right_gone")


async def test_comments_come_while_nothing_happens(api: ReadApi, scene: ReadScene) -> None:
    async with following(api, scene.own.path, f"user:{scene.own.owner}") as stream:
        await until(lambda: len(stream.comments) >= 2, "two comments", 5)
        assert stream.positions == []


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM org_members WHERE org_id = $1 AND role = 'admin'",
        "UPDATE org_members SET role = 'member' WHERE org_id = $1",
    ],
    ids=["removed", "demoted"],
)
async def test_a_stream_ends_when_its_user_loses_the_right_to_read(
    pool: Pool, api: ReadApi, scene: ReadScene, change: str
) -> None:
    org, admin = scene.own, f"user:{scene.own.admin}"
    async with following(api, org.path, admin) as stream, following(api, org.path, "service:worker") as service:
        await append(pool, org, [24])
        await stream.until(24)
        # Only readers who still have the right get the entry of this change and later entries.
        await append(pool, org, [25], change)
        await service.until(24, 25)
        await stream.until_ended()
        assert (stream.positions, stream.comments[-1]) == ([24], "right_gone")
        assert not service.ended
    again = await api.get(f"{org.path}/audit-log/stream", admin)
    assert problem_of(again) == (404, "NOT_FOUND")


async def test_a_stream_ends_even_if_the_right_is_lost_without_an_entry(
    pool: Pool, api: ReadApi, scene: ReadScene
) -> None:
    async with following(api, scene.own.path, f"user:{scene.own.admin}") as stream:
        await pool.execute("DELETE FROM org_members WHERE user_id = $1", scene.own.admin)
        await until(lambda: stream.ended, "the stream ends", 5)


async def test_a_stream_ends_when_its_token_expires(api: ReadApi, scene: ReadScene) -> None:
    # Tokens are accepted for 5 more seconds, because clocks may differ.
    claims = {"exp": int(time.time()) - 3}
    async with following(api, scene.own.path, f"user:{scene.own.owner}", claims=claims) as stream:
        await until(lambda: stream.ended, "the stream ends", 10)
        assert stream.comments[-1] == "token_expired"


async def test_only_those_who_may_read_the_log_can_follow_it(api: ReadApi, scene: ReadScene) -> None:
    org = scene.own
    for person in (scene.stranger, org.member, org.editor, org.watcher, scene.other.owner):
        answer = await api.get(f"{org.path}/audit-log/stream", f"user:{person}")
        assert problem_of(answer) == (404, "NOT_FOUND")
    queries: tuple[dict[str, Any], ...] = ({"after": "1.3"}, {"after": "3"}, {"after": "0.x"}, {"limit": "3"})
    for query in queries:
        answer = await api.get(f"{org.path}/audit-log/stream", f"user:{org.owner}", **query)
        assert problem_of(answer) == (400, "INVALID_QUERY")
    answer = await api.get(f"{org.path}/audit-log/stream", f"user:{org.owner}", {"Last-Event-ID": "1.3"})
    assert problem_of(answer) == (400, "INVALID_QUERY")
    assert problem_of(await api.client.get(f"{org.path}/audit-log/stream")) == (401, "UNAUTHENTICATED")


async def test_the_streams_of_a_user_and_of_an_instance_are_limited(
    api: ReadApi, scene: ReadScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MAX_STREAMS_OF_ONE", 1)
    monkeypatch.setattr(hub, "MAX_STREAMS", 2)
    org, path = scene.own, f"{scene.own.path}/audit-log/stream"
    async with following(api, org.path, f"user:{org.owner}"):
        assert problem_of(await api.get(path, f"user:{org.owner}")) == (429, "TOO_MANY_REQUESTS")
        async with following(api, org.path, f"user:{org.admin}"):
            assert problem_of(await api.get(path, "service:worker")) == (503, "UNAVAILABLE")

    async def opens() -> bool:
        async with api.client.stream(
            "GET", path, headers={"Authorization": f"Bearer {api.token('service:x')}"}
        ) as found:
            return found.status_code == 200

    await until(opens, "the places are free again")


async def test_streams_end_when_the_instance_stops(settings: Settings, pool: Pool, scene: ReadScene) -> None:
    path = scene.own.path
    async with (
        serving(settings) as api,
        following(api, path, "service:worker") as live,
        following(api, path, "service:worker", after="0.0") as resumed,
    ):
        api.stop.set()
        for stream in (live, resumed):
            await stream.until_ended()
            assert stream.comments[-1] == "stopping"
