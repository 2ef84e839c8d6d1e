"""Which tokens are accepted, and as which principal. Published keys come from a local key server."""

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
    """A clock in seconds that the test sets."""

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


async def test_tokens_of_users_and_services_are_accepted(clock: Clock) -> None:
    authenticator = by_secret(clock)
    assert await authenticator.principal(f"Bearer {token(f'user:{USER.upper()}')}") == User(USER)
    assert await authenticator.principal(f"bearer   {token('service:billing')}") == Service("billing")


async def test_the_audience_may_be_a_list(clock: Clock) -> None:
    assert await by_secret(clock).principal(f"Bearer {token(aud=['else', 'daybook'])}") == User(USER)
    elsewhere = by_secret(clock, jwt_audience="elsewhere")
    assert (await refusal(elsewhere, f"Bearer {token()}")).rejected.status == 401


async def test_a_token_issued_in_the_future_is_accepted(clock: Clock) -> None:
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
async def test_a_token_with_a_missing_or_invalid_claim_is_refused(clock: Clock, changes: dict[str, Any]) -> None:
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
async def test_a_malformed_unsigned_or_forged_token_is_refused(clock: Clock, header: str) -> None:
    refused = await refusal(by_secret(clock), header)
    assert refused.rejected.status == 401
    assert SECRET not in refused.rejected.detail


async def test_a_missing_token_is_challenged_without_an_error(clock: Clock) -> None:
    refused = await refusal(by_secret(clock), None)
    assert (refused.rejected.status, refused.headers) == (401, {"WWW-Authenticate": 'Bearer realm="daybook"'})


async def test_a_cached_token_expires(clock: Clock) -> None:
    authenticator = by_secret(clock)
    header = f"Bearer {token(exp=int(clock.now) + 60)}"
    await authenticator.principal(header)
    clock.now += 59
    assert await authenticator.principal(header) == User(USER)
    # PyJWT reads the system clock, so only the cached expiry can refuse the token here.
    assert authenticator._verified[header.removeprefix("Bearer ")].expires_at <= clock.now + 1 + LEEWAY_SECONDS


async def test_the_token_cache_is_bounded(clock: Clock) -> None:
    authenticator = by_secret(clock)
    first = f"Bearer {token()}"
    await authenticator.principal(first)
    entry = authenticator._verified[first.removeprefix("Bearer ")]
    for number in range(MAX_CACHED_TOKENS):
        authenticator._verified[str(number)] = entry
    assert len(authenticator._verified) == MAX_CACHED_TOKENS
    assert await authenticator.principal(first) == User(USER)


async def test_a_secret_or_keys_must_be_configured(clock: Clock) -> None:
    with pytest.raises(SettingsError, match="DAYBOOK_JWT_SECRET"):
        Authenticator(Settings(), clock, clock)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_is_verified_with_the_key_that_it_names(keys: KeyServer, clock: Clock, algorithm: str) -> None:
    keys.publish(published("RS256", "other"), published(algorithm, "mine"))
    authenticator = by_keys(keys, clock)
    assert await authenticator.principal(f"Bearer {signed(claims(), algorithm, 'mine')}") == User(USER)


async def test_a_token_without_a_key_id_is_verified_with_the_only_key(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", None))
    header = f"Bearer {signed(claims(), 'ES256', None)}"
    assert await by_keys(keys, clock).principal(header) == User(USER)
    keys.publish(published("ES256", None), published("RS256", "other"))
    assert (await refusal(by_keys(keys, clock), header)).rejected.status == 401


async def test_a_token_signed_by_another_key_is_refused(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "mine"))
    assert (await refusal(by_keys(keys, clock), f"Bearer {signed(claims(), 'RS256', 'mine')}")).rejected.status == 401


async def test_an_encryption_key_verifies_nothing(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "mine", use="enc"))
    assert (await refusal(by_keys(keys, clock), f"Bearer {signed(claims(), 'ES256', 'mine')}")).rejected.status == 401


async def test_secrets_and_published_keys_are_not_interchangeable(keys: KeyServer, clock: Clock) -> None:
    """A public key must not work as a shared secret, nor a shared secret as a published key."""
    keys.publish(published("RS256", "mine"), {"kty": "oct", "kid": "shared", "k": "c2VjcmV0" * 8})
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = hs256(claims(), pem, "mine")
    assert (await refusal(by_keys(keys, clock), f"Bearer {forged}")).rejected.status == 401
    assert (await refusal(by_keys(keys, clock), f"Bearer {token()}")).rejected.status == 401
    by_oct = jwt.encode(claims(), b"secret" * 8, "HS256", {"kid": "shared"})
    assert (await refusal(by_keys(keys, clock), f"Bearer {by_oct}")).rejected.status == 401
    assert (await refusal(by_secret(clock), f"Bearer {signed(claims(), 'RS256', 'mine')}")).rejected.status == 401


async def test_a_secret_and_published_keys_may_be_used_together(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("RS256", "mine"))
    both = by_secret(clock, jwks_url=keys.url)
    assert await both.principal(f"Bearer {token()}") == User(USER)
    assert await both.principal(f"Bearer {signed(claims('service:b'), 'RS256', 'mine')}") == Service("b")


async def test_keys_are_fetched_once_and_refreshed_when_stale(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "mine"))
    authenticator = by_keys(keys, clock)
    for number in range(3):
        await authenticator.principal(f"Bearer {signed(claims(jti=str(number)), 'ES256', 'mine')}")
    assert keys.asked == 1
    clock.now += FRESH_SECONDS
    await authenticator.principal(f"Bearer {signed(claims(jti='later', exp=int(clock.now) + 60), 'ES256', 'mine')}")
    assert keys.asked == 2


async def test_unknown_key_ids_do_not_cause_requests_to_the_provider(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "mine"))
    authenticator = by_keys(keys, clock)
    for number in range(10):
        header = f"Bearer {signed(claims(), 'ES256', f'made-up-{number}')}"
        assert (await refusal(authenticator, header)).rejected.status == 401
    assert keys.asked == 1


async def test_a_new_key_is_found_after_the_throttle_time(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "old"))
    authenticator = by_keys(keys, clock)
    await authenticator.principal(f"Bearer {signed(claims(), 'ES256', 'old')}")
    keys.publish(published("EdDSA", "new"))
    clock.now += THROTTLE_SECONDS
    assert await authenticator.principal(f"Bearer {signed(claims(), 'EdDSA', 'new')}") == User(USER)
    assert keys.asked == 2


async def test_a_revoked_key_is_trusted_for_a_bounded_time(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "mine"))
    authenticator = by_keys(keys, clock)
    header = f"Bearer {signed(claims(exp=int(clock.now) + 86_400), 'ES256', 'mine')}"
    await authenticator.principal(header)
    keys.publish(published("EdDSA", "new"))
    clock.now += TRUST_SECONDS + FRESH_SECONDS
    assert (await refusal(authenticator, header)).rejected.status == 401


async def test_known_keys_are_used_while_the_provider_is_down(keys: KeyServer, clock: Clock) -> None:
    keys.publish(published("ES256", "mine"))
    authenticator = by_keys(keys, clock)
    await authenticator.principal(f"Bearer {signed(claims(), 'ES256', 'mine')}")
    keys.body = None
    clock.now += FRESH_SECONDS
    header = f"Bearer {signed(claims(exp=int(clock.now) + 60), 'ES256', 'mine')}"
    assert await authenticator.principal(header) == User(USER)


@pytest.mark.parametrize("body", [None, b"", b"[]", b'{"keys": []}', b"not json"])
async def test_without_any_keys_tokens_get_503(keys: KeyServer, clock: Clock, body: bytes | None) -> None:
    keys.body = body
    refused = await refusal(by_keys(keys, clock), f"Bearer {signed(claims(), 'ES256', 'mine')}")
    assert (refused.rejected.status, refused.rejected.code) == (503, "UNAVAILABLE")


async def test_a_refused_token_gets_a_problem_with_a_challenge(door: DoorAlone) -> None:
    answer = await door.send(rename(), Authorization="Bearer nonsense")
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert door.kafka.calls == []


def hs256(payload: dict[str, Any], key: bytes, key_id: str) -> str:
    """Signs like an attacker. PyJWT refuses to sign with a public key."""

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    head = part(json.dumps({"alg": "HS256", "kid": key_id}).encode()) + b"." + part(json.dumps(payload).encode())
    return (head + b"." + part(hmac.new(key, head, hashlib.sha256).digest())).decode()
