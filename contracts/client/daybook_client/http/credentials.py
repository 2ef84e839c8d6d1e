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
        """The token to use. If Daybook has refused a token, pass it as `refused`: the result is a new token, or the
        same one if it cannot be renewed. Many concurrent callers cause only one renewal.
        """
        if self._source is None or isinstance(self._source, str):
            return self._token
        async with self._renewing:
            if self._token is None or self._token == refused:
                self._token = await self._source()
            return self._token
