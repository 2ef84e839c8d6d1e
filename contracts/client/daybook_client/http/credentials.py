"""Provides the token of requests: a fixed string, or the result of a function that is called again when Daybook refuses
the last token.
"""

import asyncio
from collections.abc import Awaitable, Callable

Token = str | Callable[[], Awaitable[str]]


class Credentials:
    """With None for `token`, requests have no Authorization header."""

    def __init__(self, token: Token | None) -> None:
        self._source = token
        self._token = token if isinstance(token, str) else None
        self._renewing = asyncio.Lock()

    async def token(self, refused: str | None = None) -> str | None:
        """The token to use. After Daybook has refused a token, pass that token as `refused` to get a new one, or the
        same one if it cannot be renewed. Concurrent callers share one renewal.
        """
        if self._source is None or isinstance(self._source, str):
            return self._token
        async with self._renewing:
            if self._token is None or self._token == refused:
                self._token = await self._source()
            return self._token
