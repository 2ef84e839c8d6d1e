"""The hub of the live streams and the queue of a stream, without a database: which entries each stream gets."""

import re

import pytest

from daybook_projector.read_api.stream import open_stream
from daybook_projector.read_api.stream.events import COMMENT
from daybook_projector.read_api.stream.open_stream import End, OpenStream
from support.hub_world import World


async def received(stream: OpenStream) -> list[int]:
    """The positions that the stream would send now."""
    stream.beat()
    stream.beat()
    found = b""
    while (sent := await stream.next_bytes()) not in {COMMENT, b""}:
        found += sent
    return [int(number) for number in re.findall(rb"^id: 3\.(\d+)$", found, re.MULTILINE)]


async def test_an_entry_goes_to_each_stream_of_its_org_once() -> None:
    world = World()
    first, second = world.joined(), world.joined(last=2)
    await world.tick(3)
    await world.tick(5)
    assert await received(first) == [1, 2, 3, 4, 5]
    assert await received(second) == [3, 4, 5]


async def test_nothing_is_read_if_no_position_has_changed() -> None:
    world = World()
    world.joined()
    for _ in range(5):
        await world.tick(3)
    assert world.reads.reads == 1


async def test_a_stream_that_joins_during_a_read_gets_the_entries_on_the_next_tick() -> None:
    world = World()
    first = world.joined()
    late: list[OpenStream] = []
    world.reads.meanwhile = lambda: late.append(world.joined()) if not late else None
    await world.tick(2)
    assert (await received(first), await received(late[0])) == ([1, 2], [])
    await world.tick(2)
    assert (await received(first), await received(late[0])) == ([], [1, 2])


async def test_a_stream_gets_the_entries_that_the_hub_read_between_its_opening_and_its_joining() -> None:
    world = World()
    first = world.joined()
    await world.tick(6)
    late = world.joined(last=4)
    await world.tick(6)
    assert (await received(first), await received(late)) == ([1, 2, 3, 4, 5, 6], [5, 6])
    await world.tick(7)
    assert (await received(first), await received(late)) == ([7], [7])


async def test_a_stream_that_joins_during_a_read_gets_earlier_entries_too() -> None:
    world = World()
    first = world.joined()
    await world.tick(6)
    late: list[OpenStream] = []
    world.reads.meanwhile = lambda: late.append(world.joined(last=4)) if not late else None
    await world.tick(7)
    await world.tick(7)
    assert (await received(first), await received(late[0])) == ([1, 2, 3, 4, 5, 6, 7], [5, 6, 7])


async def test_a_reader_who_lost_the_right_gets_no_entry_of_that_snapshot() -> None:
    world = World()
    stream = world.joined()
    await world.tick(1)
    world.reads.allowed = False
    await world.tick(3)
    assert stream.ended.result() is End.RIGHT_GONE
    assert await received(stream) == []


async def test_a_full_queue_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_stream, "MAX_QUEUED_EVENTS", 3)
    world = World()
    slow, quick = world.joined(), world.joined()
    await world.tick(3)
    assert await received(quick) == [1, 2, 3]
    await world.tick(4)
    assert slow.ended.result() is End.SLOW
    assert (await received(slow), await received(quick)) == ([], [4])


async def test_one_event_always_fits_into_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_stream, "MAX_QUEUED_BYTES", 10)
    world = World()
    stream = world.joined()
    await world.tick(1)
    assert await received(stream) == [1]
    await world.tick(3)
    assert stream.ended.result() is End.SLOW


async def test_a_stream_that_has_left_gets_no_entries() -> None:
    world = World()
    stream = world.joined()
    world.hub.leave(stream)
    await world.tick(3)
    assert await received(stream) == []


async def test_a_comment_is_sent_after_a_second_without_an_entry() -> None:
    world = World()
    stream = world.joined()
    stream.beat()
    await world.tick(1)
    stream.beat()
    assert b"id: 3.1" in await stream.next_bytes()
    stream.beat()
    assert await stream.next_bytes() == COMMENT
