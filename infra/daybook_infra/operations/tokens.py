"""Signs HS256 JWTs (RFC 7519) for users and services."""

from datetime import datetime, timedelta
from pathlib import Path

import jwt

from daybook_contracts.senders.principals import DAYBOOK, Principal, Service, User, parse_principal
from daybook_contracts.text import uuid_text
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.settings import HS256_KEY_BYTES, Settings, env_name


class TokenError(DaybookError):
    """The token cannot be signed."""


def sign(settings: Settings, secret: str, principal: Principal, now: datetime, valid: timedelta) -> str:
    """Claims: `sub`, `role`, `aud`, `iat`, `exp`, and `iss` if DAYBOOK_JWT_ISSUER is set. Expires at `now + valid`."""
    match principal:
        case User(user_id):
            subject, role = user_id, "authenticated"
        case Service(name):
            subject, role = name, "service_role"
    claims = {"sub": subject, "role": role, "aud": settings.jwt_audience, "iat": now, "exp": now + valid}
    issuer = {"iss": settings.jwt_issuer} if settings.jwt_issuer else {}
    return jwt.encode(claims | issuer, secret, algorithm="HS256")


def principal_of(user: str | None, service: str | None) -> Principal:
    """Raises `TokenError` unless exactly one of the two is given, and is well formed."""
    if (user is None) == (service is None):
        raise TokenError("give either --user ID or --service NAME")
    try:
        principal = parse_principal(f"service:{service}" if user is None else f"user:{user}")
        if isinstance(principal, User):
            uuid_text(principal.user_id)
    except ValueError:
        form = "a service's name matches [a-z0-9][a-z0-9._-]{0,62}"
        raise TokenError(form if user is None else "a user's id is a UUID, neither nil nor max") from None
    if principal == DAYBOOK:
        raise TokenError("the service name daybook is reserved")
    return principal


def signing_secret(settings: Settings, principal: Principal, file: Path | None) -> str:
    """The settings' secret for this kind of principal, else the content of `file` (the local stack's secret)."""
    if isinstance(principal, Service):
        if settings.service_jwt_secret is not None:
            return settings.service_jwt_secret.get_secret_value()
        if settings.service_jwks_url is not None:
            names = f"{env_name('service_jwks_url')} is set and {env_name('service_jwt_secret')} is not"
            raise TokenError(f"{names}: no secret can sign for a service")
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value()
    if file is None or not file.is_file():
        raise TokenError(f"{env_name('jwt_secret')} is not set, and no local stack has made a secret")
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise TokenError(f"{file} cannot be read: {error.strerror}") from error
    if len(secret.encode()) < HS256_KEY_BYTES:
        raise TokenError(f"{file} holds fewer than {HS256_KEY_BYTES} bytes")
    return secret
