"""The keys that tokens of a kind are checked with: a shared secret, published keys, or both."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

import jwt
from pydantic import SecretStr

from daybook_command.http.keys import PublishedKeys

SHARED_ALGORITHM: Final = "HS256"
PUBLISHED_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")


@dataclass(frozen=True, slots=True)
class Key:
    """`trusted_seconds`: how long what it proved may be believed without looking at the keys again."""

    key: str | jwt.PyJWK
    algorithm: str
    trusted_seconds: float


@dataclass(frozen=True, slots=True)
class Keyring:
    secret: SecretStr | None
    published: PublishedKeys | None

    @classmethod
    def of(cls, secret: SecretStr | None, url: str | None, steady: Callable[[], float]) -> "Keyring":
        return cls(secret, None if url is None else PublishedKeys(url, steady))

    def __bool__(self) -> bool:
        return self.secret is not None or self.published is not None

    async def key(self, algorithm: str, key_id: str | None) -> Key:
        """A secret is never taken for a published key, nor the other way round. Raises PyJWTError and KeysAway."""
        if algorithm == SHARED_ALGORITHM and self.secret is not None:
            return Key(self.secret.get_secret_value(), algorithm, inf)
        if algorithm in PUBLISHED_ALGORITHMS and self.published is not None:
            found = await self.published.find(key_id)
            if found is None:
                raise jwt.InvalidKeyError("its key is not published")
            return Key(found, algorithm, self.published.trusted_seconds)
        raise jwt.InvalidAlgorithmError("its algorithm is not accepted here")
