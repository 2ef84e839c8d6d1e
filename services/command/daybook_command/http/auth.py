"""Who is calling: an Authorization header in, a principal out, or a refusal.
What a principal may do is not known here.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jwt

from daybook_command.http.keys import KeysAway, PublishedKeys
from daybook_command.http.problems import Refused, refuse
from daybook_contracts.codes import Code
from daybook_contracts.principals import DAYBOOK, InvalidPrincipal, Principal, parse_principal
from daybook_infra.errors import SettingsError
from daybook_infra.settings import Settings, env_name

SHARED_ALGORITHM: Final = "HS256"
PUBLISHED_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
KINDS: Final = {"authenticated": "user", "service_role": "service"}
# Checking a token costs 35-350 µs, finding it here 1. About 20 MB.
MOST_TOKENS: Final = 10_000
LONGEST_TOKEN: Final = 8_192
# A key that was taken back is trusted no longer than this, and the key cache's time.
TRUST_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class _Checked:
    principal: Principal
    until: float


class Authenticator:
    """`clock` is wall time, `steady` never jumps."""

    def __init__(self, settings: Settings, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        self._secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret is not None else None
        self._keys = PublishedKeys(settings.jwks_url, steady) if settings.jwks_url else None
        if self._secret is None and self._keys is None:
            raise SettingsError(f"set {env_name('jwt_secret')} or {env_name('jwks_url')}: no token could be checked")
        self._audience = settings.jwt_audience
        self._clock = clock
        self._checked: OrderedDict[str, _Checked] = OrderedDict()

    async def principal(self, header: str | None) -> Principal:
        """Raises Refused: 401, or 503 where the provider's keys cannot be fetched."""
        if header is None:
            raise _unauthenticated("This needs a token: Authorization: Bearer <JWT>.", error=None)
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not 1 <= len(token) <= LONGEST_TOKEN:
            raise _unauthenticated("The Authorization header must be: Bearer <JWT>.")
        known = self._checked.get(token)
        if known is not None and self._clock() < known.until:
            self._checked.move_to_end(token)
            return known.principal
        return await self._check(token)

    async def _check(self, token: str) -> Principal:
        try:
            claims = await self._verified(token)
        except KeysAway as error:
            detail = "The keys that tokens are checked with cannot be fetched now; try again."
            raise refuse(Code.UNAVAILABLE, detail) from error
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            # PyJWT's own message names a claim or a form, never a value of the token.
            reason = str(error) if isinstance(error, jwt.PyJWTError) else "it is malformed"
            raise _unauthenticated(f"The token is refused: {reason}.") from error
        principal = _principal(claims)
        self._remember(token, _Checked(principal, min(int(claims["exp"]), self._clock() + TRUST_SECONDS)))
        return principal

    async def _verified(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        algorithm = str(header.get("alg"))
        key: str | jwt.PyJWK | None = None
        if algorithm == SHARED_ALGORITHM:
            key = self._secret
        elif algorithm in PUBLISHED_ALGORITHMS and self._keys is not None:
            key = await self._keys.find(header.get("kid"))
            if key is None:
                raise jwt.InvalidKeyError("its key is not published")
        if key is None:
            raise jwt.InvalidAlgorithmError("its algorithm is not accepted here")
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._audience,
            # A provider's clock may be a little ahead: `iat` proves nothing, `exp` does.
            options={"require": ["exp", "sub", "aud"], "verify_iat": False},
        )
        return claims

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
