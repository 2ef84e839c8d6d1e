"""Authentication: verifies an Authorization header and returns its principal, or refuses the request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cachetools import LRUCache

from daybook_contracts.codes import Code
from daybook_contracts.senders.principals import DAYBOOK, Principal, parse_principal
from daybook_contracts.text import uuid_text
from daybook_infra.runtime.http.problems import RequestRefused, refusal
from daybook_infra.runtime.http.token_keys import KeysUnavailable, TokenKeys
from daybook_infra.runtime.settings import Settings, require_token_keys

SERVICE_ROLE: Final = "service_role"
KINDS: Final = {"authenticated": "user", SERVICE_ROLE: "service"}
# Tolerated clock skew for `exp` and `nbf`.
LEEWAY_SECONDS: Final = 5
# Verifying a token takes 35-350 µs, looking it up in the cache about 1 µs. A full cache takes about 20 MB.
MAX_CACHED_TOKENS: Final = 10_000
MAX_TOKEN_LENGTH: Final = 8_192
# How long a verified token stays in the cache. A revoked key is accepted for at most this time plus FRESH_SECONDS.
TRUST_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """Valid until the earlier of `expires_at` (wall clock) and `trusted_until` (monotonic clock)."""

    principal: Principal
    expires_at: float
    trusted_until: float


class Authenticator:
    """`clock` is the wall clock and `monotonic` a monotonic clock, both in seconds."""

    def __init__(self, settings: Settings, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        require_token_keys(settings)
        self._user_keys = TokenKeys.of(settings.jwt_secret, settings.jwks_url, monotonic)
        service_keys = TokenKeys.of(settings.service_jwt_secret, settings.service_jwks_url, monotonic)
        self._service_keys = service_keys or self._user_keys
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer or None
        self._anonymous_allowed = settings.anonymous_users == "allow"
        self._clock = clock
        self._monotonic = monotonic
        self._verified: LRUCache[str, VerifiedToken] = LRUCache(MAX_CACHED_TOKENS)

    async def principal(self, header: str | None) -> Principal:
        """Raises RequestRefused, as `verified` does."""
        return (await self.verified(header)).principal

    async def verified(self, header: str | None) -> VerifiedToken:
        """Raises RequestRefused: 401, 403 for an anonymous user, or 503 if the provider's keys cannot be fetched."""
        if header is None:
            raise _unauthenticated("This request needs a token: Authorization: Bearer <JWT>.", error=None)
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not 1 <= len(token) <= MAX_TOKEN_LENGTH:
            raise _unauthenticated("The Authorization header must be: Bearer <JWT>.")
        known = self._verified.get(token)
        if known is not None and self._clock() < known.expires_at and self._monotonic() < known.trusted_until:
            return known
        return await self._verify(token)

    async def _verify(self, token: str) -> VerifiedToken:
        try:
            claims, trusted_seconds = await self._verified_claims(token)
        except KeysUnavailable as error:
            detail = "The keys that verify tokens cannot be fetched now; try again."
            raise refusal(Code.UNAVAILABLE, detail) from error
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            # PyJWT's messages name claims and formats, never values of the token.
            reason = str(error) if isinstance(error, jwt.PyJWTError) else "it is malformed"
            raise _unauthenticated(f"The token is refused: {reason}.") from error
        anonymous = claims.get("is_anonymous")
        if anonymous is not None and anonymous is not False and not self._anonymous_allowed:
            raise refusal(Code.FORBIDDEN, "Anonymous users are not accepted here: sign in with an account.")
        principal = _principal(claims)
        trusted_until = self._monotonic() + min(TRUST_SECONDS, trusted_seconds)
        verified = VerifiedToken(principal, int(claims["exp"]) + LEEWAY_SECONDS, trusted_until)
        self._verified[token] = verified
        return verified

    async def _verified_claims(self, token: str) -> tuple[dict[str, Any], float]:
        """The claims, and for how many seconds their key may be trusted."""
        header = jwt.get_unverified_header(token)
        found = await self._keys_for(token).find(str(header.get("alg")), header.get("kid"))
        claims: dict[str, Any] = jwt.decode(
            token,
            found.key,
            algorithms=[found.algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_SECONDS,
            # `iat` is not checked: a provider's clock may be slightly ahead, and `exp` limits the token.
            options={"require": ["exp", "sub", "aud"], "verify_iat": False},
        )
        return claims, found.trusted_seconds

    def _keys_for(self, token: str) -> TokenKeys:
        """The keys for the role that the token claims. The role is not verified yet, but a signature by one of these
        keys also proves the role.
        """
        if self._service_keys is self._user_keys:
            return self._user_keys
        claimed: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        return self._service_keys if claimed.get("role") == SERVICE_ROLE else self._user_keys


def _principal(claims: dict[str, Any]) -> Principal:
    role = claims.get("role")
    kind = KINDS.get(role) if isinstance(role, str) else None
    if kind is None:
        raise _unauthenticated(f"The token's role must be one of {', '.join(KINDS)}.")
    try:
        # `parse_principal` also reads entries, so it accepts the nil and max UUIDs.
        name = uuid_text(claims["sub"]) if kind == "user" else claims["sub"]
        principal = parse_principal(f"{kind}:{name}")
    except ValueError as error:
        form = "a UUID, neither nil nor max" if kind == "user" else "a service's name, [a-z0-9][a-z0-9._-]{0,62}"
        raise _unauthenticated(f"The token's sub must be {form}.") from error
    if principal == DAYBOOK:
        raise _unauthenticated("The service name daybook is reserved.")
    return principal


def _unauthenticated(detail: str, error: str | None = "invalid_token") -> RequestRefused:
    challenge = 'Bearer realm="daybook"' if error is None else f'Bearer realm="daybook", error="{error}"'
    return refusal(Code.UNAUTHENTICATED, detail, headers={"WWW-Authenticate": challenge})
