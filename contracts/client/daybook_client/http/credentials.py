"""Tokens: a fixed text, or a function that gives a new one when Daybook refuses the last."""

import asyncio
from collections.abc import Awaitable, Callable

Token = str | Callable[[], Awaitable[str]]


class Credentials:
    """Without a token, requests carry none."""

    def __init__(self, token: Token | None) -> None:
        self._source = token
        self._token = token if isinstance(token, str) else None
        self._renewing = asyncio.Lock()

    async def token(self, refused: str | None = None) -> str | None:
        """The token to use. After Daybook has refused one, give it as `refused`: then the answer is another one, or the
        same if it cannot be renewed. Many callers at once renew it once.
        """
        if self._source is None or isinstance(self._source, str):
            return self._token
        async with self._renewing:
            if self._token is None or self._token == refused:
                self._token = await self._source()
            return self._token
