"""The client sends many commands to a door that refuses whole batches: each command gets its own outcome, in order."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Protocol

import pytest

from daybook_client import Daybook, Outcome, Rejected, blocking, commands
from daybook_client.command import Command
from daybook_contracts.codes import Code
from daybook_contracts.commands import batch
from daybook_contracts.limits import BATCH_BYTES, BATCH_VALUES
from support.door_doubles import ENTRY, ORG, DoorAlone, token
from support.door_served import served

Found = list[tuple[str, str]]
"""For each outcome, the id of its command, and its code or else the name of its class."""


class Send(Protocol):
    def __call__(
        self, url: str, asked: Sequence[Command], bearer: str | None = ...
    ) -> Coroutine[None, None, Found]: ...


TEXT_BYTES = 60_000
IN_A_BATCH = BATCH_BYTES // TEXT_BYTES
"""At least as many commands as fit into one batch by size."""
TOO_MANY = BATCH_VALUES // (IN_A_BATCH - 5)
"""If each command of a batch has this many values, the batch has too many."""
SHOP = "service:shop"


def heavy(values: int) -> Command:
    payload = ["x" * TEXT_BYTES, *[0] * values]
    return commands.RecordDlqEvent(org_id=ORG, connection_id=ENTRY, payload=payload)


def several(values: int) -> list[Command]:
    return [heavy(values) for _ in range(IN_A_BATCH)]


async def send_async(url: str, asked: Sequence[Command], bearer: str | None = None) -> Found:
    async with Daybook.over_http(url, token=bearer or token(SHOP)) as daybook:
        return [described(each) async for each in daybook.send_many(asked, deadline=20)]


async def send_blocking(url: str, asked: Sequence[Command], bearer: str | None = None) -> Found:
    def send() -> Found:
        with blocking.Daybook.over_http(url, token=bearer or token(SHOP)) as daybook:
            return [described(each) for each in daybook.send_many(asked, deadline=20, at_once=1000)]

    return await asyncio.to_thread(send)


def described(outcome: Outcome | blocking.Outcome) -> tuple[str, str]:
    return outcome.command.id, outcome.code if isinstance(outcome, Rejected) else type(outcome).__name__


@pytest.fixture(params=[send_async, send_blocking])
def send(request: pytest.FixtureRequest) -> Send:
    found: Send = request.param
    return found


@pytest.fixture
def door() -> DoorAlone:
    return DoorAlone()


@pytest.fixture
async def url(door: DoorAlone) -> AsyncIterator[str]:
    async with served(door) as client:
        yield str(client.base_url)


@pytest.mark.parametrize("counts", [(TOO_MANY, 1), (1, TOO_MANY, 1)], ids=["the first", "the middle"])
async def test_each_command_of_batches_with_too_many_values_gets_its_own_outcome(
    door: DoorAlone, url: str, send: Send, counts: Sequence[int]
) -> None:
    asked = [command for count in counts for command in several(count)]
    assert await send(url, asked) == [(command.id, "Accepted") for command in asked]
    assert [command["id"] for command in door.kafka.commands] == [command.id for command in asked]


@pytest.mark.parametrize("counts", [(60, 1), (1, 60, 1)], ids=["the first", "the middle"])
async def test_each_command_of_a_batch_that_the_door_refuses_gets_its_own_outcome(
    door: DoorAlone, url: str, send: Send, counts: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "BATCH_VALUES", 700)  # as if the door's version were not the client's
    asked = [command for count in counts for command in several(count)]
    asked[3] = commands.RenameOrg(org_id=ORG, name="")
    expected = [(command.id, "Accepted") for command in asked]
    expected[3] = (asked[3].id, Code.INVALID_COMMAND)
    assert await send(url, asked) == expected
    published = [command.id for command in asked if command is not asked[3]]
    assert [command["id"] for command in door.kafka.commands] == published


async def test_each_command_of_a_refused_sender_gets_the_refusal(door: DoorAlone, url: str, send: Send) -> None:
    asked = several(1) + several(1)
    refused = await send(url, asked, token(is_anonymous=True))
    assert refused == [(command.id, Code.FORBIDDEN) for command in asked]
    assert door.kafka.commands == []
