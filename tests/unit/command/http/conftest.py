"""The HTTP API with test doubles, and what verifies its tokens, new for each test."""

import time
from collections.abc import Iterator

import pytest

from daybook_command.http.auth import Authenticator
from daybook_infra.runtime.settings import Settings
from support.door_doubles import SECRET, Clock, DoorAlone, Verifier
from support.key_server import KeyServer, key_server, published


@pytest.fixture
async def door() -> DoorAlone:
    return DoorAlone()


@pytest.fixture
def clock() -> Clock:
    """Steady: it is not set back."""
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
    """One key is published, whose id is "mine"."""
    keys.publish(published("ES256", "mine"))
    return verifier(jwks_url=keys.url)
