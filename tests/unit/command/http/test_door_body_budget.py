"""What the door holds at a time is bounded, and given back whatever becomes of a request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack

import orjson
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from daybook_command.http import body_budget as rooms
from daybook_command.http.body import read_body
from daybook_command.http.body_budget import COMMAND_BYTES, SHARES, Room
from daybook_command.http.problems import Refused
from support.door_doubles import OTHER, DoorAlone, rename

MOST = 10 * COMMAND_BYTES
"""Of one principal."""


def request(*chunks: bytes, whole: bool = True) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request"} if whole else {"type": "http.disconnect"})

    async def receive() -> Message:
        return messages.pop(0)

    return Request({"type": "http", "headers": []}, receive)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    """In the end all of it is free again."""
    made = Room(SHARES * MOST)
    yield made
    for number in range(SHARES):
        made.hold(f"user:{number}", MOST)
    with pytest.raises(Refused):
        made.hold("user:new", 1)


async def test_a_body_takes_room_as_it_comes_until_it_is_answered(room: Room) -> None:
    with room.share("user:a") as share:
        body = request(b"a" * COMMAND_BYTES, b"b")
        assert await read_body(body, MOST, share) == b"a" * COMMAND_BYTES + b"b"
        assert share.taken == 2 * COMMAND_BYTES + 1
        with pytest.raises(Refused):
            share.take(MOST - share.taken + 1)
        share.take(MOST - share.taken)


async def test_what_does_not_fit_is_refused_and_what_it_had_is_free(room: Room) -> None:
    with room.share("user:a") as other:
        other.take(7 * COMMAND_BYTES)
        with pytest.raises(Refused) as refused, room.share("user:a") as share:
            await read_body(request(b"a" * COMMAND_BYTES, b"b"), MOST, share)
        assert (refused.value.rejected.status, refused.value.rejected.code) == (503, "UNAVAILABLE")
        with room.share("user:a") as share:
            assert await read_body(request(b"a" * COMMAND_BYTES), MOST, share)


async def test_a_sender_that_goes_away_leaves_its_room(room: Room) -> None:
    with pytest.raises(ClientDisconnect), room.share("user:a") as share:
        await read_body(request(b"a", whole=False), MOST, share)


async def test_whoever_fills_its_quarter_keeps_nobody_else_out(room: Room) -> None:
    with room.share("user:a") as full:
        full.take(MOST - COMMAND_BYTES)
        with pytest.raises(Refused, match="of yours"), room.share("user:a"):
            pass
        for other in ("user:b", "service:a", "user:c"):
            with room.share(other) as share:
                assert await read_body(request(b"b" * COMMAND_BYTES), MOST, share)


async def test_four_principals_can_fill_the_room(room: Room) -> None:
    with ExitStack() as held:
        for number in range(SHARES):
            held.enter_context(room.share(f"user:{number}")).take(MOST - COMMAND_BYTES)
        with pytest.raises(Refused, match="Too much is being taken in"), room.share("user:new"):
            pass


async def test_a_batch_takes_room_for_each_command(room: Room) -> None:
    with room.share("user:a") as share:
        share.take_commands(9)
        assert share.taken == MOST
        with pytest.raises(Refused):
            share.take_commands(1)


async def test_slow_bodies_of_one_user_leave_the_door_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "COMMAND_BYTES", rooms.MOST_BYTES // SHARES // 3 - 1000)
    door = DoorAlone()
    started, end = asyncio.Semaphore(0), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        started.release()
        await end.wait()
        yield orjson.dumps(rename())

    mine = [
        asyncio.create_task(door.client.post("/v1/commands", content=slow(), headers=door.bearer())) for _ in range(3)
    ]
    for _ in mine:
        await started.acquire()
    assert (await door.send(rename())).status_code == 503
    assert (await door.send(rename(actor_user_id=OTHER), f"user:{OTHER}")).status_code == 200
    assert (await door.send(rename(), "service:billing")).status_code == 200
    end.set()
    assert [answer.status_code for answer in await asyncio.gather(*mine)] == [200] * 3
    assert (await door.send(rename())).status_code == 200


async def test_a_full_door_refuses_before_it_publishes_and_says_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rooms, "COMMAND_BYTES", rooms.MOST_BYTES)
    door = DoorAlone()
    for answer in (await door.send(rename()), await door.send_batch([rename()])):
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        assert "nothing was done" in answer.json()["detail"]
        assert int(answer.headers["retry-after"]) > 0
    assert door.kafka.calls == []
