"""Settings of keys and secrets: users and services can have different ones, and keys come only from safe URLs."""

from typing import Any

import jwt
import pytest
from pydantic import ValidationError

from daybook_contracts.senders.principals import Service, User
from daybook_infra.runtime.settings import Settings
from support.door_doubles import SECRET, USER, Verifier, claims, status
from support.key_server import KeyServer, key_server, public_jwk, signed_token

SERVICE_SECRET = "the services' secret, thirty-two bytes or more"


def billing() -> dict[str, Any]:
    return claims("service:billing")


def by_secret(payload: dict[str, Any], secret: str) -> str:
    return jwt.encode(payload, secret, "HS256")


async def test_with_a_service_secret_each_role_has_its_own_secret(verifier: Verifier) -> None:
    both = verifier(jwt_secret=SECRET, service_jwt_secret=SERVICE_SECRET)
    assert await both.principal(f"Bearer {by_secret(billing(), SERVICE_SECRET)}") == Service("billing")
    assert await both.principal(f"Bearer {by_secret(claims(), SECRET)}") == User(USER)
    assert await status(both, by_secret(billing(), SECRET)) == 401
    assert await status(both, by_secret(claims(), SERVICE_SECRET)) == 401


async def test_with_service_keys_each_role_has_its_own_keys(verifier: Verifier, keys: KeyServer) -> None:
    keys.publish(public_jwk("ES256", "a"))
    with key_server() as service_keys:
        service_keys.publish(public_jwk("EdDSA", "b"))
        both = verifier(jwks_url=keys.url, service_jwks_url=service_keys.url)
        assert await both.principal(f"Bearer {signed_token(billing(), 'EdDSA', 'b')}") == Service("billing")
        assert await both.principal(f"Bearer {signed_token(claims(), 'ES256', 'a')}") == User(USER)
        assert await status(both, signed_token(billing(), "ES256", "a")) == 401
        assert await status(both, signed_token(claims(), "EdDSA", "b")) == 401


async def test_with_a_service_secret_the_published_keys_verify_users_only(verifier: Verifier, keys: KeyServer) -> None:
    keys.publish(public_jwk("ES256", "a"))
    both = verifier(jwks_url=keys.url, service_jwt_secret=SERVICE_SECRET)
    assert await status(both, by_secret(billing(), SERVICE_SECRET)) == 200
    assert await status(both, signed_token(billing(), "ES256", "a")) == 401
    assert await status(both, signed_token(claims(), "ES256", "a")) == 200


async def test_users_are_refused_if_only_services_have_a_secret(verifier: Verifier) -> None:
    services = verifier(service_jwt_secret=SERVICE_SECRET)
    assert await status(services, by_secret(billing(), SERVICE_SECRET)) == 200
    assert await status(services, by_secret(claims(), SERVICE_SECRET)) == 401


@pytest.mark.parametrize(
    "settings",
    [
        {"jwt_secret": SECRET, "service_jwt_secret": SECRET},
        {"jwks_url": "https://login.example.org/keys", "service_jwks_url": "https://login.example.org/keys"},
        {"jwks_url": "https://login.example.org/keys", "service_jwks_url": "HTTPS://Login.example.org:443/keys#x"},
    ],
)
def test_the_same_keys_for_users_and_services_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="users and services need different keys"):
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


@pytest.mark.parametrize("field", ["jwks_url", "service_jwks_url"])
@pytest.mark.parametrize(
    "url", ["https://reader:hunter2@login.example.org/keys", "http://hunter2@localhost/keys", "https://@idp/keys"]
)
def test_a_key_url_with_a_login_is_refused(field: str, url: str) -> None:
    """No login is ever sent, and a fetch that fails would log the password."""
    with pytest.raises(ValidationError, match="must have no user name or password") as error:
        Settings.model_validate({field: url})
    assert "hunter2" not in error.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    "url",
    ["https://login.example.org/keys", "http://localhost:54321/keys", "http://127.0.0.9/keys", "http://[::1]:8/keys"],
)
def test_https_and_loopback_key_urls_are_accepted(url: str) -> None:
    assert Settings.model_validate({"jwks_url": url}).jwks_url == url
