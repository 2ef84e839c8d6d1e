"""Which keys verify which role and for how long, and which tokens are refused despite a valid signature."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from pydantic import SecretStr, ValidationError

from daybook_command.http.auth import LEEWAY_SECONDS, Authenticator
from daybook_command.http.problems import RequestRefused
from daybook_command.http.token_keys import FRESH_SECONDS, TRUSTED_SECONDS
from daybook_contracts.senders.principals import Service, User
from daybook_infra.runtime.settings import Settings
from support.door_doubles import SECRET, USER, DoorAlone, claims, rename, token
from support.key_server import KeyServer, key_server, published, signed

SERVICE_SECRET = "the services' secret, thirty-two bytes or more"


def billing() -> dict[str, Any]:
    return claims("service:billing")


class Clock:
    """A clock in seconds that the test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Clock:
    return Clock(time.time())


@pytest.fixture
def steady() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with key_server() as server:
        yield server


@pytest.fixture
def service_keys() -> Iterator[KeyServer]:
    with key_server() as server:
        yield server


def authenticator(wall: Clock, steady: Clock, **settings: Any) -> Authenticator:
    return Authenticator(Settings.model_validate(settings), wall, steady)


async def status(verifier: Authenticator, jwt_text: str) -> int:
    """200 if the token is accepted, else the status of the refusal."""
    try:
        await verifier.principal(f"Bearer {jwt_text}")
    except RequestRefused as refused:
        return refused.rejected.status
    return 200


def by_secret(payload: dict[str, Any], secret: str) -> str:
    return jwt.encode(payload, secret, "HS256")


async def test_with_a_service_secret_each_role_has_its_own_secret(wall: Clock, steady: Clock) -> None:
    both = authenticator(wall, steady, jwt_secret=SecretStr(SECRET), service_jwt_secret=SecretStr(SERVICE_SECRET))
    assert await both.principal(f"Bearer {by_secret(billing(), SERVICE_SECRET)}") == Service("billing")
    assert await both.principal(f"Bearer {by_secret(claims(), SECRET)}") == User(USER)
    assert await status(both, by_secret(billing(), SECRET)) == 401
    assert await status(both, by_secret(claims(), SERVICE_SECRET)) == 401


async def test_with_service_keys_each_role_has_its_own_keys(
    wall: Clock, steady: Clock, keys: KeyServer, service_keys: KeyServer
) -> None:
    keys.publish(published("ES256", "a"))
    service_keys.publish(published("EdDSA", "b"))
    both = authenticator(wall, steady, jwks_url=keys.url, service_jwks_url=service_keys.url)
    assert await both.principal(f"Bearer {signed(billing(), 'EdDSA', 'b')}") == Service("billing")
    assert await both.principal(f"Bearer {signed(claims(), 'ES256', 'a')}") == User(USER)
    assert await status(both, signed(billing(), "ES256", "a")) == 401
    assert await status(both, signed(claims(), "EdDSA", "b")) == 401


async def test_with_a_service_secret_the_published_keys_verify_users_only(
    wall: Clock, steady: Clock, keys: KeyServer
) -> None:
    keys.publish(published("ES256", "a"))
    both = authenticator(wall, steady, jwks_url=keys.url, service_jwt_secret=SecretStr(SERVICE_SECRET))
    assert await status(both, by_secret(billing(), SERVICE_SECRET)) == 200
    assert await status(both, signed(billing(), "ES256", "a")) == 401
    assert await status(both, signed(claims(), "ES256", "a")) == 200


async def test_with_keys_for_services_only_users_are_refused(wall: Clock, steady: Clock) -> None:
    services = authenticator(wall, steady, service_jwt_secret=SecretStr(SERVICE_SECRET))
    assert await status(services, by_secret(billing(), SERVICE_SECRET)) == 200
    assert await status(services, by_secret(claims(), SERVICE_SECRET)) == 401


@pytest.mark.parametrize(
    ("issuer", "expected"), [({"iss": "https://login"}, 200), ({"iss": "https://other"}, 401), ({}, 401)]
)
async def test_the_issuer_must_be_the_configured_one(
    wall: Clock, steady: Clock, issuer: dict[str, Any], expected: int
) -> None:
    verifier = authenticator(wall, steady, jwt_secret=SecretStr(SECRET), jwt_issuer="https://login")
    assert await status(verifier, token(**issuer)) == expected
    assert await status(verifier, token("service:billing", **issuer)) == expected


async def test_expiry_and_not_before_have_five_seconds_of_leeway(wall: Clock, steady: Clock) -> None:
    verifier = authenticator(wall, steady, jwt_secret=SecretStr(SECRET))
    now = int(time.time())
    assert await status(verifier, token(exp=now - 3)) == 200
    assert await status(verifier, token(exp=now - 7)) == 401
    assert await status(verifier, token(nbf=now + 4)) == 200
    assert await status(verifier, token(nbf=now + 9)) == 401


async def test_a_cached_token_has_the_same_leeway(wall: Clock, steady: Clock) -> None:
    verifier = authenticator(wall, steady, jwt_secret=SecretStr(SECRET))
    cached = token(exp=int(wall.now) + 600)
    await verifier.principal(f"Bearer {cached}")
    (checked,) = verifier._verified.values()
    assert checked.expires_at == int(wall.now) + 600 + LEEWAY_SECONDS == int(wall.now) + 605


@pytest.mark.parametrize("anonymous", [True, "true", 1, []])
async def test_an_anonymous_user_is_refused_unless_allowed(wall: Clock, steady: Clock, anonymous: object) -> None:
    refusing = authenticator(wall, steady, jwt_secret=SecretStr(SECRET))
    with pytest.raises(RequestRefused) as caught:
        await refusing.principal(f"Bearer {token(is_anonymous=anonymous)}")
    assert (caught.value.rejected.status, caught.value.rejected.code) == (403, "FORBIDDEN")
    assert await status(refusing, token(is_anonymous=anonymous)) == 403
    assert await status(refusing, token(is_anonymous=False)) == 200
    allowing = authenticator(wall, steady, jwt_secret=SecretStr(SECRET), anonymous_users="allow")
    assert await status(allowing, token(is_anonymous=anonymous)) == 200


async def test_an_anonymous_user_gets_a_problem(door: DoorAlone) -> None:
    bearer = f"Bearer {token(is_anonymous=True)}"
    answer = await door.send(rename(), Authorization=bearer)
    assert (answer.status_code, answer.json()["code"], door.kafka.calls) == (403, "FORBIDDEN", [])


@pytest.mark.parametrize(
    "settings",
    [
        {"jwt_secret": SECRET, "service_jwt_secret": SECRET},
        {"jwks_url": "https://login.example.org/keys", "service_jwks_url": "https://login.example.org/keys"},
        {"jwks_url": "https://login.example.org/keys", "service_jwks_url": "HTTPS://Login.example.org:443/keys#x"},
    ],
)
def test_the_same_keys_for_users_and_services_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="users and services need keys of their own"):
        Settings.model_validate(settings)


@pytest.mark.parametrize("field", ["jwks_url", "service_jwks_url"])
@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.org/keys",
        "http://10.0.0.1/keys",
        "http://localhost.example.org/keys",
        "http://127.0.0.1@example.org/keys",
        "file:///etc/passwd",
        "ftp://127.0.0.1/keys",
        "https:///keys",
        "https://[::1/keys",
        "login.example.org/keys",
    ],
)
def test_a_key_url_that_can_be_spoofed_is_refused(field: str, url: str) -> None:
    with pytest.raises(ValidationError, match="must be https, or http on loopback"):
        Settings.model_validate({field: url})


@pytest.mark.parametrize(
    "url",
    ["https://login.example.org/keys", "http://localhost:54321/keys", "http://127.0.0.9/keys", "http://[::1]:8/keys"],
)
def test_https_and_loopback_key_urls_are_accepted(url: str) -> None:
    assert Settings.model_validate({"jwks_url": url}).jwks_url == url


def long_lived_token(wall: Clock, name: str) -> str:
    return signed(claims(jti=name, exp=int(wall.now) + 10 * TRUSTED_SECONDS), "ES256", "mine")


async def test_keys_that_could_not_be_refreshed_for_a_day_verify_nothing(
    wall: Clock, steady: Clock, keys: KeyServer
) -> None:
    keys.publish(published("ES256", "mine"))
    verifier = authenticator(wall, steady, jwks_url=keys.url)
    assert await status(verifier, long_lived_token(wall, "at first")) == 200
    keys.body = None
    steady.now += TRUSTED_SECONDS - 1
    assert await status(verifier, long_lived_token(wall, "the provider is away")) == 200
    steady.now += 1
    assert await status(verifier, long_lived_token(wall, "for a day")) == 503
    keys.publish(published("ES256", "mine"))
    steady.now += FRESH_SECONDS
    assert await status(verifier, long_lived_token(wall, "and is back")) == 200


async def test_requests_wait_while_expired_keys_are_fetched(wall: Clock, steady: Clock, keys: KeyServer) -> None:
    keys.publish(published("ES256", "mine"))
    verifier = authenticator(wall, steady, jwks_url=keys.url)
    await status(verifier, long_lived_token(wall, "at first"))
    steady.now += TRUSTED_SECONDS
    both = await asyncio.gather(*(status(verifier, long_lived_token(wall, name)) for name in ("one", "other")))
    assert (both, keys.asked) == ([200, 200], 2)


async def test_a_cached_token_is_not_accepted_longer_than_its_keys(wall: Clock, steady: Clock, keys: KeyServer) -> None:
    keys.publish(published("ES256", "mine"))
    verifier = authenticator(wall, steady, jwks_url=keys.url)
    await status(verifier, long_lived_token(wall, "at first"))
    keys.body = None
    steady.now += TRUSTED_SECONDS - 2
    cached = long_lived_token(wall, "just before")
    assert await status(verifier, cached) == 200
    steady.now += 1
    assert await status(verifier, cached) == 200
    steady.now += 1
    assert await status(verifier, cached) == 503


async def test_setting_the_wall_clock_back_does_not_extend_a_cached_token(wall: Clock, steady: Clock) -> None:
    verifier = authenticator(wall, steady, jwt_secret=SecretStr(SECRET))
    cached = token()
    await verifier.principal(f"Bearer {cached}")
    (before,) = verifier._verified.values()
    wall.now -= 3600
    steady.now += 301
    await verifier.principal(f"Bearer {cached}")
    (after,) = verifier._verified.values()
    assert before is not after
