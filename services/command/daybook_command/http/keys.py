"""The public keys of an identity provider: a key id in, its key out.
They are fetched off the loop, kept, and seldom asked for again.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from jwt import PyJWK, PyJWKClient, PyJWKClientError, PyJWKSet, PyJWKSetError

from daybook_infra.runtime.logs import get_logger

FETCH_SECONDS = 5.0
# A key that was taken back is trusted no longer than this, and the token cache's time.
FRESH_SECONDS = 600.0
# With the provider out of reach: a key that was taken back meanwhile verifies nothing after this.
TRUSTED_SECONDS = 86_400.0
# Tokens with made-up key ids must not become requests to the provider.
THROTTLE_SECONDS = 30.0
# Until the first success it may be asked more often.
RETRY_SECONDS = 2.0

log = get_logger(__name__)


class KeysAway(Exception):
    """No key could be fetched yet, or none for so long that those of the last fetch are no longer trusted."""


class PublishedKeys:
    """While the provider is away the keys of the last fetch are trusted for TRUSTED_SECONDS."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        # Its own caches are for threads; one fetch at a time is seen to here.
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_SECONDS)
        self._clock = clock
        self._keys: list[PyJWK] | None = None
        self._fetched_at = -FRESH_SECONDS
        self._tried_at = -THROTTLE_SECONDS
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str | None) -> PyJWK | None:
        """The key of this id, or the only one where a token names none; raises KeysAway."""
        is_old = self.trusted_seconds <= TRUSTED_SECONDS - FRESH_SECONDS
        if not self._trusted or (is_old and not self._fetching.locked()):
            await self._fetch(RETRY_SECONDS)
        found = self._lookup(key_id)
        if found is None:
            await self._fetch(THROTTLE_SECONDS)
            found = self._lookup(key_id)
        return found

    @property
    def trusted_seconds(self) -> float:
        """How long the keys of the last fetch may still be used."""
        return self._fetched_at + TRUSTED_SECONDS - self._clock()

    @property
    def _trusted(self) -> bool:
        return self._keys is not None and self.trusted_seconds > 0

    def _lookup(self, key_id: str | None) -> PyJWK | None:
        if self._keys is None or not self._trusted:
            raise KeysAway
        if key_id is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.key_id == key_id), None)

    async def _fetch(self, throttle: float) -> None:
        async with self._fetching:
            if self._clock() - self._tried_at < throttle:
                return
            self._tried_at = self._clock()
            try:
                async with asyncio.timeout(2 * FETCH_SECONDS):
                    self._keys = _signing_keys(await asyncio.to_thread(self._client.fetch_data))
            except (PyJWKClientError, PyJWKSetError, ValueError, OSError, TimeoutError) as error:
                log.warning("keys_not_fetched", reason=repr(error))
            else:
                self._fetched_at = self._clock()


def _signing_keys(published: Any) -> list[PyJWK]:
    if not isinstance(published, dict):
        raise ValueError("what is published there is no key set")  # noqa: TRY004 - bad data, not a bug
    return [key for key in PyJWKSet.from_dict(published).keys if key.public_key_use in {"sig", None}]
