"""The memory of large answers that their clients do not read is bounded, and it is released however an answer ends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from daybook_infra.runtime.http.byte_budget import SHARES
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_projector.read_api import answers
from support.driving import eventually
from support.read_scene import ReadScene
from support.reading import ReadApi, serving

SHARED_DATABASE = True
# A page has six dead letters of 600,000 bytes (a seventh would exceed 4 MiB). A share has room for two such pages.
ENLARGE = "UPDATE dlq_events SET payload_json = to_jsonb(repeat('x', 600000)) WHERE id = ANY ($1::uuid[])"
PAGE_BYTES = 3_600_000
SHARE = 2 * PAGE_BYTES + 100_000


@pytest.fixture
async def api(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ReadApi]:
    monkeypatch.setattr(answers, "MAX_BYTES", SHARES * SHARE)
    async with serving(settings) as api:
        yield api


@asynccontextmanager
async def asking(api: ReadApi, path: str, principal: str) -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
    """Asks for a page and reads only the status of its answer."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    url = api.client.base_url
    await asyncio.get_running_loop().sock_connect(raw, (url.host, url.port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {api.token(principal)}\r\n\r\n".encode())
        yield int((await reader.readline()).split(b" ")[1]), reader
    finally:
        writer.close()


async def test_a_caller_that_does_not_read_its_pages_gets_no_more_of_them(
    pool: Pool, api: ReadApi, scene: ReadScene
) -> None:
    await pool.execute(ENLARGE, scene.own.letters)
    path, owner, admin = f"{scene.own.path}/dead-letters", f"user:{scene.own.owner}", f"user:{scene.own.admin}"
    async with AsyncExitStack() as unread:
        for _ in range(2):
            status, _ = await unread.enter_async_context(asking(api, path, owner))
            assert status == 200
        refused = await api.get(path, owner)
        assert (refused.status_code, refused.json()["code"]) == (503, "UNAVAILABLE")
        assert int(refused.headers["retry-after"]) > 0
        assert (await api.get(path, owner, limit=1)).status_code == 503
        assert (await api.get(f"{scene.own.path}/members", owner)).status_code == 200
        assert (await api.head(path, owner)).status_code == 200
        read = await api.get(path, admin)
        assert (read.status_code, len(read.json()["items"])) == (200, 6)

    async def are_released() -> bool:
        return (await api.get(path, owner)).status_code == 200

    await eventually(are_released)


async def test_a_page_that_is_read_too_slowly_is_cut_off(
    pool: Pool, api: ReadApi, scene: ReadScene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(answers, "WRITE_SECONDS", 0.5)
    await pool.execute(ENLARGE, scene.own.letters)
    path, owner = f"{scene.own.path}/dead-letters", f"user:{scene.own.owner}"
    async with asking(api, path, owner) as (status, reader):
        assert status == 200
        read = 0
        with suppress(ConnectionError):
            while data := await reader.read(1_000):
                read += len(data)
                # The slow reads take a second, in which the server must cut the page off. The rest is in the kernel.
                await asyncio.sleep(0.01 if read <= 100_000 else 0)
        assert 0 < read < PAGE_BYTES
    assert (await api.get(path, owner)).status_code == 200
    assert not caplog.records
