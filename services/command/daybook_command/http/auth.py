"""Who is calling: an Authorization header in, a principal out, or a refusal.
What a principal may do is not known here.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jwt

from daybook_command.http.keyring import Keyring
from daybook_command.http.keys import KeysAway
from daybook_command.http.problems import Refused, refuse
from daybook_contracts.codes import Code
from daybook_contracts.senders.principals import DAYBOOK, InvalidPrincipal, Principal, parse_principal
from daybook_infra.runtime.settings import Settings, require_token_keys

SERVICE_ROLE: Final = "service_role"
KINDS: Final = {"authenticated": "user", SERVICE_ROLE: "service"}
# For `exp` and `nbf`: clocks are that far apart.
LEEWAY_SECONDS: Final = 5
# Checking a token costs 35-350 µs, finding it here 1. About 20 MB.
MOST_TOKENS: Final = 10_000
LONGEST_TOKEN: Final = 8_192
# A key that was taken back is trusted no longer than this, and the key cache's time.
TRUST_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class _Checked:
    """Both ends count: `expires_at` is wall time, `trusted_until` steady time."""

    principal: Principal
    expires_at: float
    trusted_until: float


class Authenticator:
    """`clock` is wall time, `steady` never jumps."""

    def __init__(self, settings: Settings, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        require_token_keys(settings)
        self._users = Keyring.of(settings.jwt_secret, settings.jwks_url, steady)
        own = Keyring.of(settings.service_jwt_secret, settings.service_jwks_url, steady)
        self._services = own or self._users
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer or None
        self._anonymous_allowed = settings.anonymous_users == "allow"
        self._clock = clock
        self._steady = steady
        self._checked: OrderedDict[str, _Checked] = OrderedDict()

    async def principal(self, header: str | None) -> Principal:
        """Raises Refused: 401, 403 for an anonymous user, or 503 where the provider's keys cannot be fetched."""
        if header is None:
            raise _unauthenticated("This needs a token: Authorization: Bearer <JWT>.", error=None)
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not 1 <= len(token) <= LONGEST_TOKEN:
            raise _unauthenticated("The Authorization header must be: Bearer <JWT>.")
        known = self._checked.get(token)
        if known is not None and self._clock() < known.expires_at and self._steady() < known.trusted_until:
            self._checked.move_to_end(token)
            return known.principal
        return await self._check(token)

    async def _check(self, token: str) -> Principal:
        try:
            claims, trusted_seconds = await self._verified(token)
        except KeysAway as error:
            detail = "The keys that tokens are checked with cannot be fetched now; try again."
            raise refuse(Code.UNAVAILABLE, detail) from error
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            # PyJWT's own message names a claim or a form, never a value of the token.
            reason = str(error) if isinstance(error, jwt.PyJWTError) else "it is malformed"
            raise _unauthenticated(f"The token is refused: {reason}.") from error
        anonymous = claims.get("is_anonymous")
        if anonymous is not None and anonymous is not False and not self._anonymous_allowed:
            raise refuse(Code.FORBIDDEN, "Anonymous users are not let in here: sign in with an account.")
        principal = _principal(claims)
        trusted_until = self._steady() + min(TRUST_SECONDS, trusted_seconds)
        self._remember(token, _Checked(principal, int(claims["exp"]) + LEEWAY_SECONDS, trusted_until))
        return principal

    async def _verified(self, token: str) -> tuple[dict[str, Any], float]:
        """The claims, and for how many seconds the key that proved them is trusted."""
        header = jwt.get_unverified_header(token)
        found = await self._keyring(token).key(str(header.get("alg")), header.get("kid"))
        claims: dict[str, Any] = jwt.decode(
            token,
            found.key,
            algorithms=[found.algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_SECONDS,
            # A provider's clock may be a little ahead: `iat` proves nothing, `exp` does.
            options={"require": ["exp", "sub", "aud"], "verify_iat": False},
        )
        return claims, found.trusted_seconds

    def _keyring(self, token: str) -> Keyring:
        """By the role that the token claims: its signature, under that role's keys, proves the claim as well."""
        if self._services is self._users:
            return self._users
        claimed: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        return self._services if claimed.get("role") == SERVICE_ROLE else self._users

    def _remember(self, token: str, checked: _Checked) -> None:
        self._checked[token] = checked
        self._checked.move_to_end(token)
        if len(self._checked) > MOST_TOKENS:
            self._checked.popitem(last=False)


def _principal(claims: dict[str, Any]) -> Principal:
    role = claims.get("role")
    kind = KINDS.get(role) if isinstance(role, str) else None
    if kind is None:
        raise _unauthenticated(f"The token's role must be one of {', '.join(KINDS)}.")
    try:
        principal = parse_principal(f"{kind}:{claims['sub']}")
    except InvalidPrincipal as error:
        form = "a UUID" if kind == "user" else "a service's name, [a-z0-9][a-z0-9._-]{0,62}"
        raise _unauthenticated(f"The token's sub must be {form}.") from error
    if principal == DAYBOOK:
        raise _unauthenticated("The service name daybook is reserved.")
    return principal


def _unauthenticated(detail: str, error: str | None = "invalid_token") -> Refused:
    challenge = 'Bearer realm="daybook"' if error is None else f'Bearer realm="daybook", error="{error}"'
    return refuse(Code.UNAUTHENTICATED, detail, headers={"WWW-Authenticate": challenge})
