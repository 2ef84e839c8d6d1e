"""Sends requests to one of Daybook's HTTP APIs, and renews a refused token."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from daybook_client.answers import Answer, refusal
from daybook_client.errors import CredentialsRefused, Misuse
from daybook_client.http.credentials import Credentials, Token
from daybook_client.traces import traceparent

# No limit on open connections, because a request that has to wait for a connection may wait for ever: each tail keeps
# its connection, and httpcore loses a connection that it passes from one request to a waiting one if both requests are
# cancelled at once.
LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=100)


class NoAnswer(Exception):
    """No answer came; the request may or may not have arrived. The message says what happened."""


@dataclass(slots=True)
class Chunks:
    """The body of a streamed answer."""

    source: AsyncIterator[bytes] | None = None

    async def next(self, seconds: float) -> bytes | None:
        """None at the end. Raises NoAnswer if the connection is lost, or nothing comes within `seconds`."""
        if self.source is None:
            return None
        async with _translated(seconds):
            return await anext(self.source, None)


class Session:
    """One pool of connections. The time limit of a request covers connecting, sending and reading."""

    def __init__(self, url: str, token: Token | None, tls: ssl.SSLContext | None = None) -> None:
        self._url = checked_url(url)
        self._credentials = Credentials(token)
        verify = True if tls is None else tls
        self._client = httpx.AsyncClient(timeout=None, limits=LIMITS, verify=verify)  # noqa: S113 - see `ask`

    async def ask(self, method: str, path: str, seconds: float, body: bytes | None = None) -> Answer:
        """Raises NoAnswer, or CredentialsRefused if a renewed token is refused too."""
        async with _translated(seconds):
            return await self._ask(method, path, body)

    async def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        return await self._authorised(lambda token: self._request(method, path, body, token))

    async def _authorised(self, request: Callable[[str | None], Awaitable[Answer]]) -> Answer:
        token = await self._credentials.token()
        answer = await request(token)
        refused = refusal(answer)
        if refused is None:
            return answer
        renewed = await self._credentials.token(token)
        if renewed != token:
            answer = await request(renewed)
            refused = refusal(answer)
        if refused is not None:
            raise CredentialsRefused(refused)
        return answer

    async def _request(self, method: str, path: str, body: bytes | None, token: str | None) -> Answer:
        headers = request_headers(token, body)
        require_open(self._client)
        answer = await self._client.request(method, self._url + path, content=body, headers=headers)
        return Answer(answer.status_code, answer.headers, answer.content)

    @asynccontextmanager
    async def stream(
        self, path: str, headers: Mapping[str, str], seconds: float
    ) -> AsyncIterator[tuple[Answer, "Chunks"]]:
        """Opens a response whose body does not end. If its status is 200, the body comes as chunks. `seconds` limits
        the wait for the response's head. Raises the same errors as `ask`.
        """
        async with AsyncExitStack() as opened:
            chunks = Chunks()

            async def request(token: str | None) -> Answer:
                sent = {**request_headers(token, None), **headers}
                require_open(self._client)
                answer = await opened.enter_async_context(self._client.stream("GET", self._url + path, headers=sent))
                if answer.status_code == 200:
                    chunks.source = answer.aiter_bytes()
                    return Answer(200, answer.headers, b"")
                return Answer(answer.status_code, answer.headers, await answer.aread())

            async with _translated(seconds):
                answer = await self._authorised(request)
            yield answer, chunks

    async def close(self) -> None:
        await self._client.aclose()


@asynccontextmanager
async def _translated(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except (httpx.RequestError, httpx.StreamError) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from error
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {seconds:.1f} s") from error


def require_open(client: httpx.AsyncClient | httpx.Client) -> None:
    """Raises NoAnswer if the client was closed: httpx would raise RuntimeError."""
    if client.is_closed:
        raise NoAnswer("the client was closed")


def reading_session(url: str | None, token: Token | None, tls: ssl.SSLContext | None) -> Session | None:
    return None if url is None else Session(url, token, tls)


def request_headers(token: str | None, body: bytes | None) -> dict[str, str]:
    trace = traceparent()
    return {
        **({} if token is None else {"authorization": f"Bearer {token}"}),
        **({} if body is None else {"content-type": "application/json"}),
        **({} if trace is None else {"traceparent": trace}),
    }


def checked_url(url: str) -> str:
    """The URL without a trailing slash. Raises Misuse."""
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        is_right = is_right and bool(httpx.URL(url).host)
    except (ValueError, httpx.InvalidURL):
        is_right = False
    if not is_right:
        raise Misuse(f"{url!r} is not the URL of an HTTP API, such as http://127.0.0.1:8000")
    return url.rstrip("/")
