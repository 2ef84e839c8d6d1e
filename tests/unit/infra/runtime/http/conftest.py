"""Authenticators with clocks and keys of their own, new for each test."""

import time
from collections.abc import Iterator

import pytest

from daybook_infra.runtime.http.auth import Authenticator
from daybook_infra.runtime.settings import Settings
from support.door_doubles import SECRET, Clock, Verifier
from support.key_server import KeyServer, key_server, public_jwk


@pytest.fixture
def clock() -> Clock:
    """A monotonic clock, which is never set back."""
    return Clock(1000.0)


@pytest.fixture
def wall() -> Clock:
    return Clock(time.time())


@pytest.fixture
def verifier(wall: Clock, clock: Clock) -> Verifier:
    return lambda **settings: Authenticator(Settings.model_validate(settings), wall, clock)


@pytest.fixture
def by_secret(verifier: Verifier) -> Authenticator:
    return verifier(jwt_secret=SECRET)


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with key_server() as server:
        yield server


@pytest.fixture
def by_keys(verifier: Verifier, keys: KeyServer) -> Authenticator:
    """An authenticator with one published key, whose id is "mine"."""
    keys.publish(public_jwk("ES256", "mine"))
    return verifier(jwks_url=keys.url)
