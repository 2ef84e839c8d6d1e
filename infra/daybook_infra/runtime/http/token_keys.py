"""The keys that verify tokens: a shared secret, or the published keys of an identity provider (JWKS, RFC 7517)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import jwt
from jwt import PyJWK, PyJWKClient, PyJWKClientError, PyJWKSet, PyJWKSetError
from pydantic import SecretStr

from daybook_infra.runtime.logs import get_logger

SHARED_ALGORITHM: Final = "HS256"
PUBLISHED_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
FETCH_SECONDS: Final = 5.0
# The keys are fetched again after this time. A revoked key is accepted for at most this time plus auth's TRUST_SECONDS.
FRESH_SECONDS: Final = 600.0
# While the provider is unreachable, the keys of the last fetch are accepted for this time, even if one was revoked.
TRUSTED_SECONDS: Final = 86_400.0
# An unknown key id causes at most one fetch in this time, so that invented ids do not flood the provider.
THROTTLE_SECONDS: Final = 30.0
# If the keys are missing or old, there is at most one fetch in this time.
RETRY_SECONDS: Final = 2.0
# What the parsers of JSON and of keys raise for a malformed document, besides PyJWT's own exceptions. PyJWT does not
# check the types of a key's members.
MALFORMED: Final = (ValueError, TypeError, RecursionError)

log = get_logger(__name__)


class KeysUnavailable(Exception):
    """No key could be fetched yet, or the keys of the last fetch are no longer trusted."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """`trusted_seconds`: how long a verified token may be accepted without looking up its key again."""

    key: str | PyJWK
    algorithm: str
    trusted_seconds: float


class PublishedKeys:
    """While the provider is unreachable, the keys of the last fetch stay valid for TRUSTED_SECONDS."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        # The client's own cache is made for threads. Here `_fetching` allows only one fetch at a time.
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_SECONDS)
        self._clock = clock
        self._keys: list[PyJWK] | None = None
        self._fetched_at = -FRESH_SECONDS
        self._tried_at = -THROTTLE_SECONDS
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str | None) -> PyJWK | None:
        """The key with this id. If `key_id` is None: the provider's only key, or None if it has several. Raises
        KeysUnavailable.
        """
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
            raise KeysUnavailable
        if key_id is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.key_id == key_id), None)

    async def _fetch(self, throttle_seconds: float) -> None:
        async with self._fetching:
            if self._clock() - self._tried_at < throttle_seconds:
                return
            self._tried_at = self._clock()
            try:
                async with asyncio.timeout(2 * FETCH_SECONDS):
                    self._keys = _signing_keys(await asyncio.to_thread(self._client.fetch_data))
            except (PyJWKClientError, OSError, TimeoutError, *MALFORMED) as error:
                log.warning("keys_not_fetched", reason=repr(error))
            else:
                self._fetched_at = self._clock()


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """The keys for one kind of token. False if it has neither a secret nor published keys."""

    secret: SecretStr | None
    published: PublishedKeys | None

    @classmethod
    def of(cls, secret: SecretStr | None, url: str | None, clock: Callable[[], float]) -> "TokenKeys":
        return cls(secret, None if url is None else PublishedKeys(url, clock))

    def __bool__(self) -> bool:
        return self.secret is not None or self.published is not None

    async def find(self, algorithm: str, key_id: str | None) -> VerificationKey:
        """The key for the algorithm: the secret for HS256, otherwise a published key. So a token cannot use a published
        key as a shared secret (RFC 8725, 3.1). Raises PyJWTError and KeysUnavailable.
        """
        if algorithm == SHARED_ALGORITHM and self.secret is not None:
            return VerificationKey(self.secret.get_secret_value(), algorithm, inf)
        if algorithm in PUBLISHED_ALGORITHMS and self.published is not None:
            found = await self.published.find(key_id)
            if found is None:
                raise jwt.InvalidKeyError("its key is not published")
            # Checked here too, because PyJWT before 2.13 ignored the key's algorithm: it accepted an HMAC by a
            # published symmetric key as RS256.
            if found.algorithm_name != algorithm:
                raise jwt.InvalidAlgorithmError("its algorithm does not match its key")
            return VerificationKey(found, algorithm, self.published.trusted_seconds)
        raise jwt.InvalidAlgorithmError("its algorithm is not accepted here")


def _signing_keys(published: Any) -> list[PyJWK]:
    """The keys that verify signatures. A set without any is valid too: a provider may withdraw its last key."""
    keys = published.get("keys") if isinstance(published, dict) else None
    if not isinstance(keys, list):
        raise ValueError("the published document is not a key set")  # noqa: TRY004 - bad data, not a bug
    try:
        usable = PyJWKSet(keys).keys
    except PyJWKSetError:
        usable = []
    signing = [key for key in usable if key.public_key_use in {"sig", None}]
    if not signing:
        log.warning("no_keys_published", keys=len(keys))
    return signing
