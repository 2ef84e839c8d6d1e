"""A stop cancels the requests that take too long. Their answers say what is known of their commands by then."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import httpx
import pytest

from daybook_client.kafka.command_publisher import CommandToSend, Fate, Receipt
from daybook_command.http import time_slices
from support.door_doubles import ORG, DoorAlone, problem_of, rename, undecided
from support.driving import eventually
from support.held_shards import HeldShards

SECONDS = 30
COMMAND = rename()["id"]


@dataclass
class BlockedKafka:
    """Acknowledges nothing before `released` is set."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: int = 0

    async def hand_over(self, records: Iterable[CommandToSend], count: int) -> Awaitable[list[Receipt]]:
        self.asked.set()
        return self._receipts(count)

    async def _receipts(self, count: int) -> list[Receipt]:
        await self.released.wait()
        self.acknowledged += count
        return [Receipt(Fate.PUBLISHED, 0)] * count


async def cut_off(request: "asyncio.Task[httpx.Response]", when: Awaitable[object]) -> httpx.Response:
    async with asyncio.timeout(SECONDS):
        await when
        request.cancel()
        return await request


async def published(door: DoorAlone) -> None:
    async def is_published() -> bool:
        return bool(door.kafka.records)

    await eventually(is_published)


async def test_a_published_command_gets_the_location_of_its_outcome() -> None:
    door = DoorAlone(wait_seconds=2 * SECONDS)
    door.kafka.decide = undecided
    answer = await cut_off(asyncio.create_task(door.send(rename())), published(door))
    assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/orgs/{ORG}/commands/{COMMAND}")


async def test_each_item_of_a_batch_gets_its_answer() -> None:
    door = DoorAlone(wait_seconds=2 * SECONDS)
    door.kafka.decide = undecided
    answer = await cut_off(asyncio.create_task(door.send_batch([rename(), 7])), published(door))
    assert [item["status"] for item in answer.json()] == [202, 400]


async def test_a_request_whose_body_has_not_arrived_is_refused() -> None:
    is_sent = asyncio.Event()

    async def beginning() -> AsyncIterator[bytes]:
        yield b"{"
        is_sent.set()
        await asyncio.Event().wait()

    door = DoorAlone()
    request = asyncio.create_task(door.client.post("/v1/commands", content=beginning(), headers=door.bearer()))
    answer = await cut_off(request, is_sent.wait())
    assert problem_of(answer) == (503, "UNAVAILABLE")
    assert "nothing was done" in answer.json()["detail"]


@pytest.mark.parametrize("shards", [HeldShards(open=False), HeldShards()], ids=["published", "fallen back"])
async def test_the_outcome_of_a_command_that_is_being_published_is_unknown(shards: HeldShards) -> None:
    kafka = BlockedKafka()
    door = DoorAlone(publishing=lambda _: kafka, shards=shards)
    answer = await cut_off(asyncio.create_task(door.send(rename())), kafka.asked.wait())
    assert problem_of(answer) == (503, "UNAVAILABLE")
    assert "may or may not be decided" in answer.json()["detail"]


async def test_a_command_that_has_fallen_back_is_published_though_its_request_was_cut_off() -> None:
    kafka = BlockedKafka()
    door = DoorAlone(publishing=lambda _: kafka, shards=HeldShards())
    await cut_off(asyncio.create_task(door.send(rename())), kafka.asked.wait())
    kafka.released.set()
    await door.deliveries.stop()
    assert kafka.acknowledged == 1


async def test_a_published_batch_is_answered_item_by_item_whenever_it_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time_slices, "SLICE_SECONDS", -1.0)  # one step for each slice, so as many moments as possible
    statuses = Counter[int]()
    for moment in count():
        door = DoorAlone()
        request = asyncio.create_task(door.send_batch([rename(), rename()]))
        for _ in range(moment):
            await asyncio.sleep(0)
        if request.done():
            break
        request.cancel()
        with suppress(asyncio.CancelledError):  # if it is cancelled before or after the app's own work
            answer = await request
            statuses[answer.status_code] += 1
            assert (answer.status_code == 200) == bool(door.kafka.records), answer.text
    assert set(statuses) == {200, 503}
