"""Readers that stop reading, disconnect or ask only for headers, and large numbers of readers, do not affect other
readers of streams.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager

import httpx
import pytest

from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.read_api.database import ReadDatabase
from daybook_projector.read_api.stream import log_reads
from support.door_doubles import problem_of
from support.driving import fresh_id
from support.planted_rows import plant
from support.projecting import is_lock_awaited, until
from support.read_scene import ReadOrg, ReadScene, append, set_checkpoint
from support.reading import ReadApi, following, serving

SHARED_DATABASE = True
LARGE = 128 * 1024
ENTRIES = 100


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[ReadApi]:
    async with serving(settings) as api:
        yield api


@contextmanager
def dead_reader(api: ReadApi, path: str, principal: str) -> Iterator[socket.socket]:
    """Opens a stream, and then reads nothing."""
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect((api.client.base_url.host, api.client.base_url.port))
        head = (
            f"GET {path}/audit-log/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token(principal)}\r\n\r\n"
        )
        raw.sendall(head.encode())
        yield raw


async def append_large(pool: Pool, org: ReadOrg, first: int) -> None:
    for at in range(first, first + ENTRIES):
        id_, *others, metadata, _ = org.entry(fresh_id(), at, 0)
        metadata = {**metadata, "data": {"text": "x" * LARGE}}
        await plant(pool, {"audit_log": [(id_, *others, metadata, f"2026-11-22T16:{at // 60:02d}:{at % 60:02d}Z")]})
        await set_checkpoint(pool, 0, at)


async def test_a_reader_that_stops_reading_is_disconnected_and_others_miss_nothing(
    pool: Pool, api: ReadApi, scene: ReadScene
) -> None:
    org = scene.own
    with dead_reader(api, org.path, f"user:{org.admin}") as dead:
        async with following(api, org.path, f"user:{org.owner}") as stream:
            await until(lambda: api.metric("daybook_read_streams") == 2, "both streams are open")
            await append_large(pool, org, 24)
            await stream.until(*range(24, 24 + ENTRIES))
            await until(
                lambda: api.metric("daybook_read_streams_ended_total", reason="slow") == 1,
                "the dead reader is disconnected",
            )
            assert api.metric("daybook_read_streams") == 1
        received = await asyncio.to_thread(read_all, dead)
    assert received < ENTRIES * LARGE


def read_all(raw: socket.socket) -> int:
    """Reads until the connection ends; returns the number of bytes."""
    raw.settimeout(10)
    total = 0
    try:
        while piece := raw.recv(1 << 20):
            total += len(piece)
    except ConnectionResetError:
        pass
    return total


async def test_a_client_that_disconnects_frees_its_place(api: ReadApi, scene: ReadScene) -> None:
    async with following(api, scene.own.path, f"user:{scene.own.owner}"):
        assert api.metric("daybook_read_streams") == 1
    await until(lambda: api.metric("daybook_read_streams") == 0, "the place is free")
    assert api.metric("daybook_read_streams_ended_total", reason="client_gone") == 1


async def test_the_hub_reads_an_entry_once_for_all_streams(pool: Pool, api: ReadApi, scene: ReadScene) -> None:
    """The number of reads does not depend on the number of open streams."""
    async with AsyncExitStack() as open_streams:
        streams = [
            await open_streams.enter_async_context(following(api, org.path, principal))
            for org in (scene.own, scene.other)
            for principal in (f"user:{org.owner}", f"user:{org.admin}", *(f"service:s{at}" for at in range(18)))
        ]
        await append(pool, scene.own, range(24, 34))
        for stream in streams[: len(streams) // 2]:
            await stream.until(*range(24, 34))
        assert api.metric("daybook_read_stream_entries_total") == 10
        assert all(stream.positions == [] for stream in streams[len(streams) // 2 :])


async def test_streams_end_if_rights_cannot_be_checked(
    pool: Pool, api: ReadApi, scene: ReadScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daybook_projector.read_api.stream.hub.UNCERTAIN_SECONDS", 0.5)
    async with following(api, scene.own.path, f"user:{scene.own.owner}") as stream:
        await pool.execute("REVOKE SELECT ON audit_log FROM daybook_reader")
        try:
            await until(lambda: stream.ended, "the stream ends")
            assert stream.comments[-1] == "no_database"
        finally:
            await pool.execute("GRANT SELECT ON audit_log TO daybook_reader")


async def test_streams_end_if_the_database_does_not_answer(
    pool: Pool, settings: Settings, scene: ReadScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do not wait for the time limit of the statement."""
    monkeypatch.setattr("daybook_projector.read_api.stream.hub.UNCERTAIN_SECONDS", 0.5)
    monkeypatch.setattr("daybook_projector.read_api.database.STATEMENT_SECONDS", 300.0)
    async with serving(settings) as api, following(api, scene.own.path, f"user:{scene.own.owner}") as stream:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE daybook.checkpoints")
            await stream.until_ended()
            assert await is_lock_awaited(pool)
        assert stream.comments[-1] == "no_database"


async def test_a_stream_resumes_after_an_id_with_white_space_after_it(api: ReadApi, scene: ReadScene) -> None:
    org = scene.own
    reader, writer = await asyncio.open_connection(api.client.base_url.host, api.client.base_url.port)
    try:
        head = f"GET {org.path}/audit-log/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token('service:s')}"
        writer.write(f"{head}\r\nLast-Event-ID: 0.10 \t\r\n\r\n".encode())
        async with asyncio.timeout(20):
            assert b" 200 " in await reader.readline()
            await reader.readuntil(b"id: 0.10\n")
            await reader.readuntil(b"id: 0.11\n")
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_stream_with_two_ids_is_refused(api: ReadApi, scene: ReadScene) -> None:
    token = ("Authorization", f"Bearer {api.token('service:s')}")
    headers = [token, ("Last-Event-ID", "0.1"), ("Last-Event-ID", "0.2")]
    answer = await api.client.get(f"{scene.own.path}/audit-log/stream", headers=headers)
    assert problem_of(answer) == (400, "INVALID_QUERY")


async def test_head_answers_with_the_headers_of_a_stream_and_opens_none(api: ReadApi, scene: ReadScene) -> None:
    path, owner = f"{scene.own.path}/audit-log/stream", f"user:{scene.own.owner}"
    async with following(api, scene.own.path, owner, after="0.10") as stream:
        head = await api.head(path, owner, after="0.10")
        assert (head.status_code, head.content) == (200, b"")
        assert described(head) == described(stream.answer)
        assert api.metric("daybook_read_streams") == 1
    assert (await api.head(path, f"user:{scene.other.owner}")).status_code == 404


def described(answer: httpx.Response) -> dict[str, str]:
    """The headers, except those that say when and how this answer was sent."""
    return {name: value for name, value in answer.headers.items() if name not in {"date", "transfer-encoding"}}


async def test_little_is_held_for_a_client_that_catches_up_on_large_entries(pool: Pool, scene: ReadScene) -> None:
    """The stream keeps what one read has found until its client has taken it."""
    org = scene.own
    for at in range(24, 30):
        *row, data, _ = org.entry(fresh_id(), at, 0)
        large = {**data, "text": "x" * 200_000}
        await plant(pool, {"audit_log": [(*row, large, f"2026-11-22T16:00:{at:02d}Z")]})
    async with ReadDatabase(pool).own_snapshot() as snapshot:
        rows, more = await log_reads.missed_entries(snapshot, org.org_id, None)
    assert sum(len(row["metadata_json"]) for row in rows) < 512 * 1024
    assert more
