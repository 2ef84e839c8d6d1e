"""Which published keys verify a token, and for how long. The keys come from a key server on this machine."""

import asyncio
import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from daybook_contracts.senders.principals import Service, User
from daybook_infra.runtime.http.auth import TRUST_SECONDS, Authenticator
from daybook_infra.runtime.http.token_keys import FRESH_SECONDS, THROTTLE_SECONDS, TRUSTED_SECONDS
from support.door_doubles import SECRET, USER, Clock, Verifier, claims, refusal, status, token
from support.key_server import RSA, KeyServer, public_jwk, signed_token


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_names_the_key_that_verifies_it(by_keys: Authenticator, keys: KeyServer, algorithm: str) -> None:
    keys.publish(public_jwk("RS256", "other"), public_jwk(algorithm, "mine"))
    assert await by_keys.principal(f"Bearer {signed_token(claims(), algorithm, 'mine')}") == User(USER)


async def test_a_token_without_a_key_id_is_verified_with_the_only_key(verifier: Verifier, keys: KeyServer) -> None:
    unnamed = signed_token(claims(), "ES256", None)
    keys.publish(public_jwk("ES256", None))
    assert await status(verifier(jwks_url=keys.url), unnamed) == 200
    keys.publish(public_jwk("ES256", None), public_jwk("RS256", "other"))
    assert await status(verifier(jwks_url=keys.url), unnamed) == 401


@pytest.mark.parametrize(("use", "algorithm"), [("sig", "RS256"), ("enc", "ES256")], ids=["another key", "encryption"])
async def test_only_the_signing_key_verifies(by_keys: Authenticator, keys: KeyServer, use: str, algorithm: str) -> None:
    keys.publish(public_jwk("ES256", "mine", use=use))
    assert await status(by_keys, signed_token(claims(), algorithm, "mine")) == 401


async def test_keys_and_secrets_do_not_mix(by_secret: Authenticator, by_keys: Authenticator, keys: KeyServer) -> None:
    """A public key must not work as a shared secret, and a shared secret must not work as a published key."""
    keys.publish(public_jwk("RS256", "mine"), {"kty": "oct", "kid": "shared", "k": "c2VjcmV0" * 8})
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert await status(by_keys, hs256(claims(), pem, "mine")) == 401
    assert await status(by_keys, token()) == 401
    assert await status(by_keys, jwt.encode(claims(), b"secret" * 8, "HS256", {"kid": "shared"})) == 401
    assert await status(by_secret, signed_token(claims(), "RS256", "mine")) == 401


async def test_a_token_must_be_signed_by_its_keys_own_algorithm(by_keys: Authenticator, keys: KeyServer) -> None:
    """A published symmetric key must not verify a token that claims RS256 and has an HMAC of that key."""
    keys.publish({"kty": "oct", "kid": "shared", "k": "c2VjcmV0" * 8}, public_jwk("RS256", "other", alg="RS512"))
    assert await status(by_keys, hs256(claims(), b"secret" * 8, "shared", claimed="RS256")) == 401
    assert await status(by_keys, signed_token(claims(), "RS256", "other")) == 401


def hs256(payload: dict[str, Any], key: bytes, key_id: str, claimed: str = "HS256") -> str:
    """Signs as an attacker would. PyJWT cannot be used, because it refuses to sign with a public key."""

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    head = part(json.dumps({"alg": claimed, "kid": key_id}).encode()) + b"." + part(json.dumps(payload).encode())
    return (head + b"." + part(hmac.new(key, head, hashlib.sha256).digest())).decode()


async def test_a_secret_and_published_keys_may_be_used_together(verifier: Verifier, keys: KeyServer) -> None:
    keys.publish(public_jwk("RS256", "mine"))
    both = verifier(jwt_secret=SECRET, jwks_url=keys.url)
    assert await both.principal(f"Bearer {token()}") == User(USER)
    assert await both.principal(f"Bearer {signed_token(claims('service:b'), 'RS256', 'mine')}") == Service("b")


def mine(name: str = "", key_id: str = "mine") -> str:
    """A different token for each name. It is valid for longer than its key."""
    return signed_token(claims(jti=name, exp=claims()["exp"] + int(10 * TRUSTED_SECONDS)), "ES256", key_id)


async def test_keys_are_fetched_again_only_when_stale(by_keys: Authenticator, keys: KeyServer, clock: Clock) -> None:
    assert [await status(by_keys, mine(name)) for name in "abc"] == [200] * 3
    assert keys.asked == 1
    clock.now += FRESH_SECONDS
    assert await status(by_keys, mine("later")) == 200
    assert keys.asked == 2


async def test_unknown_key_ids_do_not_cause_requests_to_the_provider(by_keys: Authenticator, keys: KeyServer) -> None:
    assert {await status(by_keys, mine(key_id=f"made-up-{number}")) for number in range(10)} == {401}
    assert keys.asked == 1


async def test_a_new_key_is_found_when_throttling_ends(by_keys: Authenticator, keys: KeyServer, clock: Clock) -> None:
    await status(by_keys, mine())
    keys.publish(public_jwk("EdDSA", "new"))
    clock.now += THROTTLE_SECONDS
    assert await by_keys.principal(f"Bearer {signed_token(claims(), 'EdDSA', 'new')}") == User(USER)
    assert keys.asked == 2


async def test_trust_in_a_revoked_key_ends(by_keys: Authenticator, keys: KeyServer, clock: Clock) -> None:
    cached = mine()
    assert await status(by_keys, cached) == 200
    keys.publish(public_jwk("EdDSA", "new"))
    clock.now += TRUST_SECONDS + FRESH_SECONDS
    assert await status(by_keys, cached) == 401


@pytest.mark.parametrize(
    "published",
    [[], [public_jwk("RS256", "mine", use="enc")], [{"kty": "OKP", "crv": "X25519", "kid": "mine", "x": "AAAA"}]],
    ids=["no key", "an encryption key", "an unsupported key"],
)
async def test_trust_ends_when_the_last_key_is_withdrawn(
    by_keys: Authenticator, keys: KeyServer, clock: Clock, published: list[dict[str, Any]]
) -> None:
    assert await status(by_keys, mine("at first")) == 200
    keys.publish(*published)
    clock.now += FRESH_SECONDS
    assert await status(by_keys, mine("later")) == 401
    keys.publish(public_jwk("ES256", "mine"))
    clock.now += THROTTLE_SECONDS
    assert await status(by_keys, mine("published again")) == 200


@pytest.mark.parametrize("body", [None, b"", b"[]", b"{}", b'{"keys": {}}', b"not json"])
async def test_without_any_keys_tokens_get_503(by_keys: Authenticator, keys: KeyServer, body: bytes | None) -> None:
    keys.body = body
    refused = await refusal(by_keys, f"Bearer {mine()}")
    assert (refused.rejected.status, refused.rejected.code) == (503, "UNAVAILABLE")


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(
            {"keys": [public_jwk("ES256", "mine"), {**public_jwk("ES256", "other"), "alg": ["ES256"]}]}
        ).encode(),
        json.dumps({"keys": [public_jwk("ES256", "mine"), {**public_jwk("ES256", "other"), "use": ["sig"]}]}).encode(),
        json.dumps({"keys": [public_jwk("ES256", "mine"), None]}).encode(),
        b"[" * 200_000,
        b"\xff\xfe{",
    ],
    ids=["alg is a list", "use is a list", "a key is null", "deep nesting", "no JSON"],
)
async def test_a_malformed_key_set_does_not_replace_the_last_one(
    by_keys: Authenticator, keys: KeyServer, clock: Clock, body: bytes
) -> None:
    assert await status(by_keys, mine("at first")) == 200
    keys.body = body
    clock.now += FRESH_SECONDS
    assert await status(by_keys, mine("later")) == 200
    assert keys.asked == 2


async def test_keys_not_fetched_for_a_day_verify_nothing(by_keys: Authenticator, keys: KeyServer, clock: Clock) -> None:
    assert await status(by_keys, mine("at first")) == 200
    keys.body = None
    clock.now += TRUSTED_SECONDS - 1
    assert await status(by_keys, mine("the provider is away")) == 200
    clock.now += 1
    assert await status(by_keys, mine("for a day")) == 503
    keys.publish(public_jwk("ES256", "mine"))
    clock.now += FRESH_SECONDS
    assert await status(by_keys, mine("and is back")) == 200


async def test_requests_wait_while_new_keys_are_fetched(by_keys: Authenticator, keys: KeyServer, clock: Clock) -> None:
    await status(by_keys, mine("at first"))
    clock.now += TRUSTED_SECONDS
    both = await asyncio.gather(*(status(by_keys, mine(name)) for name in ("one", "other")))
    assert (both, keys.asked) == ([200, 200], 2)


async def test_a_cached_token_expires_with_its_keys(by_keys: Authenticator, keys: KeyServer, clock: Clock) -> None:
    await status(by_keys, mine("at first"))
    keys.body = None
    clock.now += TRUSTED_SECONDS - 2
    cached = mine("just before")
    for expected in (200, 200, 503):
        assert await status(by_keys, cached) == expected
        clock.now += 1
