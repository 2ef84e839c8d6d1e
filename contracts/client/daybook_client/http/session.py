"""Requests to one of Daybook's HTTP APIs: a request in, an answer out, or the reason why there is none."""

import asyncio
import ssl
from urllib.parse import urlsplit

import httpx

from daybook_client.answers import Answer, refusal
from daybook_client.errors import CredentialsRefused, Misuse
from daybook_client.http.credentials import Credentials, Token
from daybook_client.traces import traceparent


class NoAnswer(Exception):
    """The request may have arrived or not. The message says what happened."""


class Session:
    """One pool of connections. Every request has a limit for all of it: connecting, sending and reading."""

    def __init__(self, url: str, token: Token | None, tls: ssl.SSLContext | None = None) -> None:
        self._url = checked_url(url)
        self._credentials = Credentials(token)
        self._client = httpx.AsyncClient(timeout=None, verify=True if tls is None else tls)  # noqa: S113 - see `ask`

    async def ask(self, method: str, path: str, seconds: float, body: bytes | None = None) -> Answer:
        """Raises NoAnswer, or CredentialsRefused if a renewed token is refused too."""
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(method, path, body)
        except httpx.RequestError as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from error
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {seconds:.1f} s") from error

    async def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        token = await self._credentials.token()
        answer = await self._request(method, path, body, token)
        refused = refusal(answer)
        if refused is None:
            return answer
        renewed = await self._credentials.token(token)
        if renewed != token:
            answer = await self._request(method, path, body, renewed)
            refused = refusal(answer)
        if refused is not None:
            raise CredentialsRefused(refused)
        return answer

    async def _request(self, method: str, path: str, body: bytes | None, token: str | None) -> Answer:
        headers = request_headers(token, body)
        answer = await self._client.request(method, self._url + path, content=body, headers=headers)
        return Answer(answer.status_code, answer.headers, answer.content)

    async def close(self) -> None:
        await self._client.aclose()


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
    """The URL without a slash at the end. Raises Misuse."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Misuse(f"{url!r} is not the URL of an HTTP API, such as http://127.0.0.1:8000")
    return url.rstrip("/")
