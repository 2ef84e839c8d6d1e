"""One HTTP connection that posts JSON. It uses little CPU, so that a benchmark measures the service and not the
client.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS = 60.0
# The service closes a connection that is idle for 30 s. This client replaces it long before.
IDLE_SECONDS = 2.0


class JsonConnection:
    def __init__(self, url: str, token: str) -> None:
        self._host = urlsplit(url)
        self._head = f"Host: {self._host.netloc}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used_at = 0.0

    async def post(self, path: str, body: object) -> Any:
        """Posts JSON, and returns the JSON of the answer. Raises RuntimeError if the status is not 200."""
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(content)}\r\n\r\n"
        reader, writer = await self._open()
        writer.write(head.encode("ascii") + content)
        async with asyncio.timeout(ANSWER_SECONDS):
            status, answer = await _answer(reader)
        self._used_at = asyncio.get_running_loop().time()
        if status != 200:
            raise RuntimeError(f"{status}: {answer.decode()}")
        return json.loads(answer)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None or asyncio.get_running_loop().time() - self._used_at > IDLE_SECONDS:
            await self.close()
            self._streams = await asyncio.open_connection(self._host.hostname, self._host.port)
        return self._streams

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            await self._streams[1].wait_closed()
            self._streams = None


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, *others = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(each.lower().split(": ", 1) for each in others if each)
    return int(first.split()[1]), await reader.readexactly(int(headers["content-length"]))


@asynccontextmanager
async def json_connection(url: str, token: str) -> AsyncIterator[JsonConnection]:
    connection = JsonConnection(url, token)
    try:
        yield connection
    finally:
        await connection.close()
