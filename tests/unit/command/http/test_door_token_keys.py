"""Whose keys prove which role, for how long, and which tokens are refused although they are signed well."""

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
    """Seconds; it stands still until it is told to go on."""

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


async def status(checking: Authenticator, jwt_text: str) -> int:
    """200 for a principal, else the refusal's."""
    try:
        await checking.principal(f"Bearer {jwt_text}")
    except RequestRefused as refused:
        return refused.rejected.status
    return 200


def by_secret(payload: dict[str, Any], secret: str) -> str:
    return jwt.encode(payload, secret, "HS256")


async def test_with_a_service_secret_each_role_has_a_secret_of_its_own(wall: Clock, steady: Clock) -> None:
    both = authenticator(wall, steady, jwt_secret=SecretStr(SECRET), service_jwt_secret=SecretStr(SERVICE_SECRET))
    assert await both.principal(f"Bearer {by_secret(billing(), SERVICE_SECRET)}") == Service("billing")
    assert await both.principal(f"Bearer {by_secret(claims(), SECRET)}") == User(USER)
    assert await status(both, by_secret(billing(), SECRET)) == 401
    assert await status(both, by_secret(claims(), SERVICE_SECRET)) == 401


async def test_with_service_keys_each_role_has_keys_of_its_own(
    wall: Clock, steady: Clock, keys: KeyServer, service_keys: KeyServer
) -> None:
    keys.publish(published("ES256", "a"))
    service_keys.publish(published("EdDSA", "b"))
    both = authenticator(wall, steady, jwks_url=keys.url, service_jwks_url=service_keys.url)
    assert await both.principal(f"Bearer {signed(billing(), 'EdDSA', 'b')}") == Service("billing")
    assert await both.principal(f"Bearer {signed(claims(), 'ES256', 'a')}") == User(USER)
    assert await status(both, signed(billing(), "ES256", "a")) == 401
    assert await status(both, signed(claims(), "EdDSA", "b")) == 401


async def test_a_service_secret_takes_services_away_from_published_keys(
    wall: Clock, steady: Clock, keys: KeyServer
) -> None:
    keys.publish(published("ES256", "a"))
    both = authenticator(wall, steady, jwks_url=keys.url, service_jwt_secret=SecretStr(SERVICE_SECRET))
    assert await status(both, by_secret(billing(), SERVICE_SECRET)) == 200
    assert await status(both, signed(billing(), "ES256", "a")) == 401
    assert await status(both, signed(claims(), "ES256", "a")) == 200


async def test_with_keys_for_services_alone_no_user_is_believed(wall: Clock, steady: Clock) -> None:
    services = authenticator(wall, steady, service_jwt_secret=SecretStr(SERVICE_SECRET))
    assert await status(services, by_secret(billing(), SERVICE_SECRET)) == 200
    assert await status(services, by_secret(claims(), SERVICE_SECRET)) == 401


@pytest.mark.parametrize(
    ("issued", "expected"),
    [({"iss": "https://login"}, 200), ({"iss": "https://other"}, 401), ({}, 401)],
)
async def test_the_issuer_must_be_the_one_that_is_set(
    wall: Clock, steady: Clock, issued: dict[str, Any], expected: int
) -> None:
    checking = authenticator(wall, steady, jwt_secret=SecretStr(SECRET), jwt_issuer="https://login")
    assert await status(checking, token(**issued)) == expected
    assert await status(checking, token("service:billing", **issued)) == expected


async def test_expiry_and_not_before_have_five_seconds_of_leeway(wall: Clock, steady: Clock) -> None:
    checking = authenticator(wall, steady, jwt_secret=SecretStr(SECRET))
    now = int(time.time())
    assert await status(checking, token(exp=now - 3)) == 200
    assert await status(checking, token(exp=now - 7)) == 401
    assert await status(checking, token(nbf=now + 4)) == 200
    assert await status(checking, token(nbf=now + 9)) == 401


async def test_a_token_known_already_has_the_same_leeway(wall: Clock, steady: Clock) -> None:
    checking = authenticator(wall, steady, jwt_secret=SecretStr(SECRET))
    known = token(exp=int(wall.now) + 600)
    await checking.principal(f"Bearer {known}")
    (checked,) = checking._verified.values()
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


async def test_an_anonymous_user_is_answered_with_a_problem(door: DoorAlone) -> None:
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
def test_equal_keys_for_users_and_services_are_refused(settings: dict[str, str]) -> None:
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
def test_an_address_of_keys_that_anybody_on_the_way_could_answer_for_is_refused(field: str, url: str) -> None:
    with pytest.raises(ValidationError, match="must be https, or http on loopback"):
        Settings.model_validate({field: url})


@pytest.mark.parametrize(
    "url",
    ["https://login.example.org/keys", "http://localhost:54321/keys", "http://127.0.0.9/keys", "http://[::1]:8/keys"],
)
def test_https_and_loopback_addresses_of_keys_are_taken(url: str) -> None:
    assert Settings.model_validate({"jwks_url": url}).jwks_url == url


def later(wall: Clock, name: str) -> str:
    return signed(claims(jti=name, exp=int(wall.now) + 10 * TRUSTED_SECONDS), "ES256", "mine")


async def test_keys_that_could_not_be_fetched_again_for_a_day_verify_nothing(
    wall: Clock, steady: Clock, keys: KeyServer
) -> None:
    keys.publish(published("ES256", "mine"))
    checking = authenticator(wall, steady, jwks_url=keys.url)
    assert await status(checking, later(wall, "at first")) == 200
    keys.body = None
    steady.now += TRUSTED_SECONDS - 1
    assert await status(checking, later(wall, "the provider is away")) == 200
    steady.now += 1
    assert await status(checking, later(wall, "for a day")) == 503
    keys.publish(published("ES256", "mine"))
    steady.now += FRESH_SECONDS
    assert await status(checking, later(wall, "and is back")) == 200


async def test_whoever_comes_while_expired_keys_are_fetched_waits_for_them(
    wall: Clock, steady: Clock, keys: KeyServer
) -> None:
    keys.publish(published("ES256", "mine"))
    checking = authenticator(wall, steady, jwks_url=keys.url)
    await status(checking, later(wall, "at first"))
    steady.now += TRUSTED_SECONDS
    both = await asyncio.gather(*(status(checking, later(wall, name)) for name in ("one", "other")))
    assert (both, keys.asked) == ([200, 200], 2)


async def test_a_token_known_already_is_not_believed_longer_than_its_keys(
    wall: Clock, steady: Clock, keys: KeyServer
) -> None:
    keys.publish(published("ES256", "mine"))
    checking = authenticator(wall, steady, jwks_url=keys.url)
    await status(checking, later(wall, "at first"))
    keys.body = None
    steady.now += TRUSTED_SECONDS - 2
    known = later(wall, "just before")
    assert await status(checking, known) == 200
    steady.now += 1
    assert await status(checking, known) == 200
    steady.now += 1
    assert await status(checking, known) == 503


async def test_a_wall_clock_set_back_keeps_no_token_alive(wall: Clock, steady: Clock) -> None:
    checking = authenticator(wall, steady, jwt_secret=SecretStr(SECRET))
    known = token()
    await checking.principal(f"Bearer {known}")
    (before,) = checking._verified.values()
    wall.now -= 3600
    steady.now += 301
    await checking.principal(f"Bearer {known}")
    (after,) = checking._verified.values()
    assert before is not after
