"""Provides the token of requests: a fixed string, or the result of a function that is called again when Daybook refuses
the last token.
"""

import asyncio
from collections.abc import Awaitable, Callable

from daybook_client.errors import Misuse

Token = str | Callable[[], Awaitable[str]]


class Credentials:
    """With None for `token`, requests have no Authorization header."""

    def __init__(self, token: Token | None) -> None:
        self._source = token
        self._token = checked_token(token) if isinstance(token, str) else None
        self._renewing = asyncio.Lock()

    async def token(self, refused: str | None = None) -> str | None:
        """The token to use. After Daybook has refused a token, pass that token as `refused` to get a new one, or the
        same one if it cannot be renewed. Concurrent callers share one renewal.
        """
        if self._source is None or isinstance(self._source, str):
            return self._token
        async with self._renewing:
            if self._token is None or self._token == refused:
                self._token = checked_token(await self._source())
            return self._token


def checked_token(token: str) -> str:
    """The token without the white space around it, such as a file's last line break. Raises Misuse, which does not
    quote the token, if a header cannot hold it.
    """
    stripped = token.strip()
    if not stripped or not stripped.isascii() or not stripped.isprintable():
        raise Misuse("the token is empty, or has characters that a header cannot hold: give it as Daybook issued it")
    return stripped
