"""The HTTP API with stand-ins for its servers, new for each test."""

import pytest

from support.door_doubles import DoorAlone


@pytest.fixture
async def door() -> DoorAlone:
    return DoorAlone()
