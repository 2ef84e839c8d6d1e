"""The memory of requests in progress is bounded, and it is released however a request ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack

import orjson
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from daybook_command.http import body_budget
from daybook_command.http.body_budget import COMMAND_BYTES, BodyBudget, read_body
from daybook_infra.runtime.http.byte_budget import SHARES
from daybook_infra.runtime.http.problems import RequestRefused
from support.door_doubles import OTHER, DoorAlone, rename
from support.door_served import served

SHARE = 10 * COMMAND_BYTES
"""The share of one principal, in bytes."""


def request(*chunks: bytes, is_complete: bool = True) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request"} if is_complete else {"type": "http.disconnect"})

    async def receive() -> Message:
        return messages.pop(0)

    return Request({"type": "http", "headers": []}, receive)


@pytest.fixture
async def budget() -> AsyncIterator[BodyBudget]:
    """A body budget. After the test, checks that all its memory has been released."""
    new = BodyBudget(SHARES * SHARE)
    yield new
    for number in range(SHARES):
        new.take(f"user:{number}", SHARE)
    with pytest.raises(RequestRefused):
        new.take("user:new", 1)


async def test_a_reservation_grows_with_the_body_as_it_arrives(budget: BodyBudget) -> None:
    with budget.reserve("user:a") as reservation:
        body = request(b"a" * COMMAND_BYTES, b"b")
        assert await read_body(body, b"", SHARE, reservation) == b"a" * COMMAND_BYTES + b"b"
        assert reservation.size == 2 * COMMAND_BYTES + 1
        with pytest.raises(RequestRefused):
            reservation.add(SHARE - reservation.size + 1)
        reservation.add(SHARE - reservation.size)


async def test_a_body_over_budget_is_refused_and_its_reservation_released(budget: BodyBudget) -> None:
    with budget.reserve("user:a") as other:
        other.add(7 * COMMAND_BYTES)
        with pytest.raises(RequestRefused) as refused, budget.reserve("user:a") as reservation:
            await read_body(request(b"a" * COMMAND_BYTES, b"b"), b"", SHARE, reservation)
        assert (refused.value.rejected.status, refused.value.rejected.code) == (503, "UNAVAILABLE")
        with budget.reserve("user:a") as reservation:
            assert await read_body(request(b"a" * COMMAND_BYTES), b"", SHARE, reservation)


async def test_a_disconnected_client_releases_its_reservation(budget: BodyBudget) -> None:
    with pytest.raises(ClientDisconnect), budget.reserve("user:a") as reservation:
        await read_body(request(b"a", is_complete=False), b"", SHARE, reservation)


async def test_a_body_that_arrives_too_slowly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_budget, "READ_SECONDS", 0.1)
    door = DoorAlone()
    async with served(door) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        token = door.bearer()["Authorization"]
        head = f"POST /v1/commands HTTP/1.1\r\nhost: door\r\nauthorization: {token}\r\ncontent-length: 100\r\n\r\n{{"
        writer.write(head.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_a_principal_that_fills_its_share_does_not_block_others(budget: BodyBudget) -> None:
    with budget.reserve("user:a") as full:
        full.add(SHARE - COMMAND_BYTES)
        with pytest.raises(RequestRefused, match="Your requests"), budget.reserve("user:a"):
            pass
        for other in ("user:b", "service:a", "user:c"):
            with budget.reserve(other) as reservation:
                assert await read_body(request(b"b" * COMMAND_BYTES), b"", SHARE, reservation)


async def test_four_principals_can_fill_the_budget(budget: BodyBudget) -> None:
    with ExitStack() as held:
        for number in range(SHARES):
            held.enter_context(budget.reserve(f"user:{number}")).add(SHARE - COMMAND_BYTES)
        with pytest.raises(RequestRefused, match="take too much memory"), budget.reserve("user:new"):
            pass


async def test_a_batch_reserves_overhead_for_each_command(budget: BodyBudget) -> None:
    with budget.reserve("user:a") as reservation:
        reservation.add_commands(9)
        assert reservation.size == SHARE
        with pytest.raises(RequestRefused):
            reservation.add_commands(1)


async def test_slow_uploads_of_one_user_do_not_block_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_budget, "COMMAND_BYTES", body_budget.MAX_BYTES // SHARES // 3 - 1000)
    door = DoorAlone()
    started, end = asyncio.Semaphore(0), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        started.release()
        await end.wait()
        yield orjson.dumps(rename())

    uploads = [
        asyncio.create_task(door.client.post("/v1/commands", content=slow(), headers=door.bearer())) for _ in range(3)
    ]
    for _ in uploads:
        await started.acquire()
    assert (await door.send(rename())).status_code == 503
    assert (await door.send(rename(actor_user_id=OTHER), f"user:{OTHER}")).status_code == 200
    assert (await door.send(rename(), "service:billing")).status_code == 200
    end.set()
    assert [answer.status_code for answer in await asyncio.gather(*uploads)] == [200] * 3
    assert (await door.send(rename())).status_code == 200


async def test_a_request_over_budget_publishes_nothing_and_gets_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_budget, "COMMAND_BYTES", body_budget.MAX_BYTES)
    door = DoorAlone()
    for answer in (await door.send(rename()), await door.send_batch([rename()])):
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        assert "nothing was done" in answer.json()["detail"]
        assert int(answer.headers["retry-after"]) > 0
    assert door.kafka.calls == []
