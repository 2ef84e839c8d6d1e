"""Which tokens are accepted, and which principal they stand for."""

import base64
import time
from typing import Any

import jwt
import pytest

from daybook_contracts.senders.principals import Service, User
from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.http.auth import LEEWAY_SECONDS, MAX_CACHED_TOKENS, Authenticator
from support.door_doubles import SECRET, USER, Clock, Verifier, claims, refusal, status, token


async def test_tokens_of_users_and_services_are_accepted(by_secret: Authenticator) -> None:
    assert await by_secret.principal(f"Bearer {token(f'user:{USER.upper()}')}") == User(USER)
    assert await by_secret.principal(f"bearer   {token('service:billing')}") == Service("billing")


async def test_the_audience_may_be_a_list(verifier: Verifier, by_secret: Authenticator) -> None:
    assert await by_secret.principal(f"Bearer {token(aud=['else', 'daybook'])}") == User(USER)
    assert await status(verifier(jwt_secret=SECRET, jwt_audience="elsewhere"), token()) == 401


@pytest.mark.parametrize(
    ("issuer", "expected"), [({"iss": "https://login"}, 200), ({"iss": "https://other"}, 401), ({}, 401)]
)
async def test_the_issuer_must_be_the_configured_one(verifier: Verifier, issuer: dict[str, Any], expected: int) -> None:
    configured = verifier(jwt_secret=SECRET, jwt_issuer="https://login")
    assert await status(configured, token(**issuer)) == expected
    assert await status(configured, token("service:billing", **issuer)) == expected


async def test_a_token_issued_in_the_future_is_accepted(by_secret: Authenticator, wall: Clock) -> None:
    assert await by_secret.principal(f"Bearer {token(iat=int(wall.now) + 30)}") == User(USER)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": 1},
        {"exp": "soon"},
        {"sub": None},
        {"sub": 7},
        {"sub": "ada"},
        {"sub": f"{USER}0"},
        {"sub": "00000000-0000-0000-0000-000000000000"},
        {"sub": "FFFFFFFF-ffff-ffff-ffff-ffffffffffff"},
        {"aud": None},
        {"aud": "elsewhere"},
        {"nbf": 9_999_999_999},
        {"role": None},
        {"role": "anon"},
        {"role": ["authenticated"]},
        {"role": "service_role", "sub": "Not A Name"},
        {"role": "service_role", "sub": "daybook"},
        {"role": "service_role", "sub": "x" * 64},
    ],
)
async def test_a_missing_or_invalid_claim_is_refused(by_secret: Authenticator, changes: dict[str, Any]) -> None:
    refused = await refusal(by_secret, f"Bearer {token(**changes)}")
    assert (refused.rejected.status, refused.rejected.code) == (401, "UNAUTHENTICATED")
    assert refused.headers is not None
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]


def deep_header() -> str:
    header = b'{"alg":"HS256","typ":' + b"[" * 3_000 + b"]" * 3_000 + b"}"
    return base64.urlsafe_b64encode(header).decode().rstrip("=") + ".e30.x"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        f"Basic {token()}",
        token(),
        "Bearer a.b.c",
        f"Bearer {token()}x",
        "Bearer \u00e9\u00e9.\u00e9",
        f"Bearer {jwt.encode(claims(), '', 'none')}",
        f"Bearer {jwt.encode(claims(), 'another secret of thirty-two bytes or so', 'HS256')}",
        f"Bearer {jwt.encode(claims(), SECRET * 2, 'HS512')}",
        f"Bearer {deep_header()}",
        "Bearer " + "x" * 10_000,
    ],
)
async def test_a_malformed_unsigned_or_forged_token_is_refused(by_secret: Authenticator, header: str) -> None:
    refused = await refusal(by_secret, header)
    assert refused.rejected.status == 401
    assert SECRET not in refused.rejected.detail


async def test_a_missing_token_is_challenged_without_an_error(by_secret: Authenticator) -> None:
    refused = await refusal(by_secret, None)
    assert (refused.rejected.status, refused.headers) == (401, {"WWW-Authenticate": 'Bearer realm="daybook"'})


@pytest.mark.parametrize("anonymous", [True, "true", 1, []])
async def test_anonymous_users_need_permission(verifier: Verifier, by_secret: Authenticator, anonymous: object) -> None:
    refused = await refusal(by_secret, f"Bearer {token(is_anonymous=anonymous)}")
    assert (refused.rejected.status, refused.rejected.code) == (403, "FORBIDDEN")
    assert await status(by_secret, token(is_anonymous=False)) == 200
    allowing = verifier(jwt_secret=SECRET, anonymous_users="allow")
    assert await status(allowing, token(is_anonymous=anonymous)) == 200


async def test_expiry_and_not_before_have_five_seconds_of_leeway(by_secret: Authenticator) -> None:
    now = int(time.time())
    assert await status(by_secret, token(exp=now - 3)) == 200
    assert await status(by_secret, token(exp=now - 7)) == 401
    assert await status(by_secret, token(nbf=now + 4)) == 200
    assert await status(by_secret, token(nbf=now + 9)) == 401


async def test_a_cached_token_expires_with_the_same_leeway(by_secret: Authenticator, wall: Clock) -> None:
    expires_at = int(wall.now) + 60
    cached = f"Bearer {token(exp=expires_at)}"
    verified = await by_secret.verified(cached)
    wall.now = expires_at + LEEWAY_SECONDS - 0.1
    assert await by_secret.verified(cached) is verified
    wall.now = expires_at + LEEWAY_SECONDS
    # PyJWT reads the system clock and accepts the token again. What counts is that it is verified again.
    assert await by_secret.verified(cached) is not verified


async def test_a_clock_set_back_extends_no_cached_token(by_secret: Authenticator, wall: Clock, clock: Clock) -> None:
    cached = token()
    await status(by_secret, cached)
    before = by_secret._verified[cached]
    wall.now -= 3600
    clock.now += 301
    await status(by_secret, cached)
    assert by_secret._verified[cached] is not before


async def test_the_token_cache_is_bounded(by_secret: Authenticator) -> None:
    first = token()
    await status(by_secret, first)
    entry = by_secret._verified[first]
    for number in range(MAX_CACHED_TOKENS):
        by_secret._verified[str(number)] = entry
    assert len(by_secret._verified) == MAX_CACHED_TOKENS
    assert await by_secret.principal(f"Bearer {first}") == User(USER)


def test_a_secret_or_keys_must_be_configured(verifier: Verifier) -> None:
    with pytest.raises(SettingsError, match="DAYBOOK_JWT_SECRET"):
        verifier()
