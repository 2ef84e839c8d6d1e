"""`JoinedWrites` over a transport that notes what it is asked to do."""

import asyncio
from typing import Any

import pytest

from daybook_infra.runtime.http.joined_writes import MOST_BYTES, JoinedWrites


class NotingTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Any] = []

    def write(self, data: bytes) -> None:  # type: ignore[override]  # only called with bytes
        self.calls.append(data)

    def write_eof(self) -> None:
        self.calls.append("eof")

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")

    def is_closing(self) -> bool:
        return bool({"close", "abort"} & {*self.calls})


@pytest.fixture
def transport() -> NotingTransport:
    return NotingTransport()


@pytest.fixture
async def joined(transport: NotingTransport) -> JoinedWrites:
    return JoinedWrites(transport, asyncio.get_running_loop(), lambda: False)


async def test_the_pieces_of_one_iteration_are_written_at_once(
    transport: NotingTransport, joined: JoinedWrites
) -> None:
    for piece in (b"head", b" and ", b"body"):
        joined.write(piece)
    assert transport.calls == []
    await asyncio.sleep(0)
    assert transport.calls == [b"head and body"]
    joined.write(b"more")
    await asyncio.sleep(0)
    assert transport.calls == [b"head and body", b"more"]


async def test_many_bytes_are_not_held_back(transport: NotingTransport, joined: JoinedWrites) -> None:
    piece = bytes(MOST_BYTES // 4)
    for _ in range(5):
        joined.write(piece)
    assert transport.calls == [piece * 5]
    await asyncio.sleep(0)
    assert transport.calls == [piece * 5]


@pytest.mark.parametrize(("end", "called"), [("close", "close"), ("write_eof", "eof")])
async def test_what_is_held_back_is_written_before_the_end(
    transport: NotingTransport, joined: JoinedWrites, end: str, called: str
) -> None:
    joined.write(b"answer")
    getattr(joined, end)()
    await asyncio.sleep(0)
    assert transport.calls == [b"answer", called]


async def test_nothing_is_written_after_an_abort(transport: NotingTransport, joined: JoinedWrites) -> None:
    joined.write(b"answer")
    joined.abort()
    joined.write(b"another")
    await asyncio.sleep(0)
    assert transport.calls == ["abort"]


async def test_the_state_is_that_of_the_transport(transport: NotingTransport, joined: JoinedWrites) -> None:
    assert joined.can_write_eof()
    assert not joined.is_closing()
    transport.close()
    assert joined.is_closing()
