"""Which tokens the door takes, and for whom. Keys that are published are fetched from a server of the test's own."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from daybook_command.http.auth import LEEWAY_SECONDS, MAX_CACHED_TOKENS, TRUST_SECONDS, Authenticator
from daybook_command.http.problems import RequestRefused
from daybook_command.http.token_keys import FRESH_SECONDS, THROTTLE_SECONDS
from daybook_contracts.senders.principals import Service, User
from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.settings import Settings
from support.door_doubles import SECRET, USER, DoorAlone, claims, rename, token
from support.key_server import RSA, KeyServer, key_server, published, signed


class Clock:
    """Seconds; it stands still until it is told to go on."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with key_server() as server:
        yield server


def by_secret(clock: Clock, **changes: Any) -> Authenticator:
    return Authenticator(Settings.model_validate({"jwt_secret": SecretStr(SECRET)} | changes), clock, clock)


def by_keys(keys: KeyServer, clock: Clock) -> Authenticator:
    return Authenticator(Settings.model_validate({"jwks_url": keys.url}), clock, clock)


async def refusal(authenticator: Authenticator, header: str | None) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        await authenticator.principal(header)
    return caught.value


async def test_a_users_token_and_a_services(clock: Clock) -> None:
    authenticator = by_secret(clock)
    assert await authenticator.principal(f"Bearer {token(f'user:{USER.upper()}')}") == User(USER)
    assert await authenticator.principal(f"bearer   {token('service:billing')}") == Service("billing")


async def test_the_audience_may_be_one_of_several(clock: Clock) -> None:
    assert await by_secret(clock).principal(f"Bearer {token(aud=['else', 'daybook'])}") == User(USER)
    elsewhere = by_secret(clock, jwt_audience="elsewhere")
    assert (await refusal(elsewhere, f"Bearer {token()}")).rejected.status == 401


async def test_a_clock_ahead_of_ours_is_no_fault(clock: Clock) -> None:
    assert await by_secret(clock).principal(f"Bearer {token(iat=int(clock.now) + 30)}") == User(USER)


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
async def test_a_token_that_does_not_say_who_for_whom_and_until_when_is_refused(
    clock: Clock, changes: dict[str, Any]
) -> None:
    refused = await refusal(by_secret(clock), f"Bearer {token(**changes)}")
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
async def test_what_is_no_token_of_ours_is_refused(clock: Clock, header: str) -> None:
    refused = await refusal(by_secret(clock), header)
    assert refused.rejected.status == 401
    assert SECRET not in refused.rejected.detail


async def test_no_token_is_asked_for_without_an_error(clock: Clock) -> None:
    refused = await refusal(by_secret(clock), None)
    assert (refused.rejected.status, refused.headers) == (401, {"WWW-Authenticate": 'Bearer realm="daybook"'})


async def test_a_token_known_already_expires_all_the_same(clock: Clock) -> None:
    authenticator = by_secret(clock)
    header = f"Bearer {token(exp=int(clock.now) + 60)}"
    await authenticator.principal(header)
    clock.now += 59
    assert await authenticator.principal(header) == User(USER)
    # From here on only the cache's look at `exp` could let it in: PyJWT reads the machine's clock.
    assert authenticator._verified[header.removeprefix("Bearer ")].expires_at <= clock.now + 1 + LEEWAY_SECONDS


async def test_tokens_are_remembered_up_to_a_bound(clock: Clock) -> None:
    authenticator = by_secret(clock)
    first = f"Bearer {token()}"
    await authenticator.principal(first)
    known = authenticator._verified[first.removeprefix("Bearer ")]
    for number in range(MAX_CACHED_TOKENS):
        authenticator._verified[str(number)] = known
    assert len(authenticator._verified) == MAX_CACHED_TOKENS
    assert await authenticator.principal(first) == User(USER)


async def test_without_a_secret_and_keys_there_is_no_door(clock: Clock) -> None:
    with pytest.raises(SettingsError, match="DAYBOOK_JWT_SECRET"):
        Authenticator(Settings(), clock, clock)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_is_checked_with_the_key_that_it_names(keys: KeyServer, clock: Clock, algorithm: str) -> None:
    keys.publish(published("RS256", "other"), published(algorithm, "mine"))
    authenticator = by_keys(keys, clock)
    assert await authenticator.principal(f"Bearer {signed(claims(), algorithm, 'mine')}") == User(USER)


async def test_a_token_without_a_key_id_fits_the_only_key(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", None))
    header = f"Bearer {signed(claims(), 'ES256', None)}"
    assert await by_keys(keys, clock).principal(header) == User(USER)
    keys.publish(published("ES256", None), published("RS256", "other"))
    assert (await refusal(by_keys(keys, clock), header)).rejected.status == 401


async def test_a_token_signed_by_another_key_is_refused(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "mine"))
    assert (await refusal(by_keys(keys, clock), f"Bearer {signed(claims(), 'RS256', 'mine')}")).rejected.status == 401


async def test_a_key_for_encryption_signs_nothing(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "mine", use="enc"))
    assert (await refusal(by_keys(keys, clock), f"Bearer {signed(claims(), 'ES256', 'mine')}")).rejected.status == 401


async def test_a_secret_is_no_key_and_a_key_no_secret(keys: KeyServer, clock: Clock) -> None:
    """A published key must not be taken for a shared secret, nor a shared secret for a published key."""
    keys.publish(published("RS256", "mine"), {"kty": "oct", "kid": "shared", "k": "c2VjcmV0" * 8})
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = hs256(claims(), pem, "mine")
    assert (await refusal(by_keys(keys, clock), f"Bearer {forged}")).rejected.status == 401
    assert (await refusal(by_keys(keys, clock), f"Bearer {token()}")).rejected.status == 401
    by_oct = jwt.encode(claims(), b"secret" * 8, "HS256", {"kid": "shared"})
    assert (await refusal(by_keys(keys, clock), f"Bearer {by_oct}")).rejected.status == 401
    assert (await refusal(by_secret(clock), f"Bearer {signed(claims(), 'RS256', 'mine')}")).rejected.status == 401


async def test_both_kinds_may_be_configured_side_by_side(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("RS256", "mine"))
    both = by_secret(clock, jwks_url=keys.url)
    assert await both.principal(f"Bearer {token()}") == User(USER)
    assert await both.principal(f"Bearer {signed(claims('service:b'), 'RS256', 'mine')}") == Service("b")


async def test_keys_are_fetched_once_and_again_when_they_are_old(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "mine"))
    authenticator = by_keys(keys, clock)
    for number in range(3):
        await authenticator.principal(f"Bearer {signed(claims(jti=str(number)), 'ES256', 'mine')}")
    assert keys.asked == 1
    clock.now += FRESH_SECONDS
    await authenticator.principal(f"Bearer {signed(claims(jti='later', exp=int(clock.now) + 60), 'ES256', 'mine')}")
    assert keys.asked == 2


async def test_made_up_key_ids_are_not_passed_on_to_the_provider(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "mine"))
    authenticator = by_keys(keys, clock)
    for number in range(10):
        header = f"Bearer {signed(claims(), 'ES256', f'made-up-{number}')}"
        assert (await refusal(authenticator, header)).rejected.status == 401
    assert keys.asked == 1


async def test_a_new_key_is_found_once_the_throttle_lets_it(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "old"))
    authenticator = by_keys(keys, clock)
    await authenticator.principal(f"Bearer {signed(claims(), 'ES256', 'old')}")
    keys.publish(published("EdDSA", "new"))
    clock.now += THROTTLE_SECONDS
    assert await authenticator.principal(f"Bearer {signed(claims(), 'EdDSA', 'new')}") == User(USER)
    assert keys.asked == 2


async def test_a_key_taken_back_is_trusted_a_bounded_time(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "mine"))
    authenticator = by_keys(keys, clock)
    header = f"Bearer {signed(claims(exp=int(clock.now) + 86_400), 'ES256', 'mine')}"
    await authenticator.principal(header)
    keys.publish(published("EdDSA", "new"))
    clock.now += TRUST_SECONDS + FRESH_SECONDS
    assert (await refusal(authenticator, header)).rejected.status == 401


async def test_known_keys_go_on_while_the_provider_is_away(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "mine"))
    authenticator = by_keys(keys, clock)
    await authenticator.principal(f"Bearer {signed(claims(), 'ES256', 'mine')}")
    keys.body = None
    clock.now += FRESH_SECONDS
    header = f"Bearer {signed(claims(exp=int(clock.now) + 60), 'ES256', 'mine')}"
    assert await authenticator.principal(header) == User(USER)


@pytest.mark.parametrize("body", [None, b"", b"[]", b'{"keys": []}', b"not json"])
async def test_without_any_key_the_door_is_unavailable_not_the_token_wrong(
    keys: KeyServer, clock: Clock, body: bytes | None
) -> None:
    keys.body = body
    refused = await refusal(by_keys(keys, clock), f"Bearer {signed(claims(), 'ES256', 'mine')}")
    assert (refused.rejected.status, refused.rejected.code) == (503, "UNAVAILABLE")


async def test_a_refused_token_is_a_problem_with_a_challenge(door: DoorAlone) -> None:
    answer = await door.send(rename(), Authorization="Bearer nonsense")
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert door.kafka.calls == []


def hs256(payload: dict[str, Any], key: bytes, key_id: str) -> str:
    """As an attacker would: PyJWT itself will not sign with a public key."""

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    head = part(json.dumps({"alg": "HS256", "kid": key_id}).encode()) + b"." + part(json.dumps(payload).encode())
    return (head + b"." + part(hmac.new(key, head, hashlib.sha256).digest())).decode()
