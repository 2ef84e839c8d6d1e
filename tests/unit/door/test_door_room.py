"""What the door holds at a time is bounded, and given back whatever becomes of a request."""

from collections.abc import AsyncIterator

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from daybook_command.http import room as rooms
from daybook_command.http.body import read_body
from daybook_command.http.problems import Refused
from daybook_command.http.room import REQUEST_BYTES, Room
from support.door_doubles import DoorAlone, rename

MOST = 10 * REQUEST_BYTES


def request(*chunks: bytes, whole: bool = True) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request"} if whole else {"type": "http.disconnect"})

    async def receive() -> Message:
        return messages.pop(0)

    return Request({"type": "http", "headers": []}, receive)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    """In the end all of it is free again."""
    made = Room(MOST)
    yield made
    assert made.fits(MOST)
    assert not made.fits(MOST + 1)


async def test_a_body_takes_room_as_it_comes_until_it_is_answered(room: Room) -> None:
    with room.share() as share:
        assert await read_body(request(b"a" * REQUEST_BYTES, b"b"), MOST, share) == b"a" * REQUEST_BYTES + b"b"
        assert share.taken == 2 * REQUEST_BYTES + 1
        assert not room.fits(MOST - share.taken + 1)


async def test_what_does_not_fit_is_refused_and_what_it_had_is_free(room: Room) -> None:
    with room.share() as other:
        other.take(7 * REQUEST_BYTES)
        with pytest.raises(Refused) as refused, room.share() as share:
            await read_body(request(b"a" * REQUEST_BYTES, b"b"), MOST, share)
        assert (refused.value.rejected.status, refused.value.rejected.code) == (503, "UNAVAILABLE")
        with room.share() as share:
            assert await read_body(request(b"a" * REQUEST_BYTES), MOST, share)


async def test_a_sender_that_goes_away_leaves_its_room(room: Room) -> None:
    with pytest.raises(ClientDisconnect), room.share() as share:
        await read_body(request(b"a", whole=False), MOST, share)


async def test_a_full_door_refuses_before_it_publishes_and_says_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rooms, "REQUEST_BYTES", rooms.MOST_BYTES)
    door = DoorAlone()
    for answer in (await door.send(rename()), await door.send_batch([rename()])):
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        assert "nothing was done" in answer.json()["detail"]
        assert int(answer.headers["retry-after"]) > 0
    assert door.kafka.calls == []
