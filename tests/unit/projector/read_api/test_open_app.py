"""The projector's app with its read API, opened without servers."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.settings import Settings
from daybook_projector.main import open_app
from support.door_doubles import SECRET

SETTINGS = Settings(jwt_secret=SecretStr(SECRET), database_url=SecretStr("postgresql://nobody:x@localhost:1/none"))


class FaultyEvent(asyncio.Event):
    def is_set(self) -> bool:
        raise RuntimeError("a bug")


async def test_a_bug_in_what_feeds_the_streams_ends_the_service() -> None:
    stop, is_set = FaultyEvent(), False
    with pytest.raises(RuntimeError, match="a bug"):
        async with open_app(SETTINGS, Health(), CollectorRegistry(), stop):
            is_set = await asyncio.wait_for(stop.wait(), timeout=10)
    assert is_set


async def test_an_error_while_the_app_is_open_is_raised_unchanged() -> None:
    with pytest.raises(DaybookError, match="cannot listen"):
        async with open_app(SETTINGS, Health(), CollectorRegistry(), asyncio.Event()):
            raise DaybookError("cannot listen")
