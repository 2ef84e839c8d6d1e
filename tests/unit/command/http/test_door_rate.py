"""The rate limit of users."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from daybook_infra.runtime.http.rate import body_tokens
from support.door_doubles import ORG, OTHER, DoorAlone, problem_of, rename


async def test_a_user_over_its_rate_gets_429_with_retry_after() -> None:
    door = DoorAlone(burst=2, rate=0.5)
    answers = [await door.send(rename()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert problem_of(answers[2]) == (429, "TOO_MANY_REQUESTS")
    assert int(answers[2].headers["retry-after"]) == 2
    assert len(door.kafka.records) == 2
    assert (await door.send(rename(actor_user_id=OTHER), f"user:{OTHER}")).status_code == 200


async def test_a_malformed_command_costs_a_token() -> None:
    door = DoorAlone(burst=1, rate=0.1)
    assert (await door.send(b"{")).status_code == 400
    assert (await door.send(b"{")).status_code == 429


async def test_a_batch_costs_a_token_per_item_and_may_overdraw() -> None:
    door = DoorAlone(burst=10, rate=1)
    answer = await door.send_batch([rename() for _ in range(25)])
    assert {item["status"] for item in answer.json()} == {200}
    limited = await door.send(rename())
    assert limited.status_code == 429
    assert 15 <= int(limited.headers["retry-after"]) <= 16
    assert (await door.send_batch([rename()])).status_code == 429


async def test_services_are_not_limited() -> None:
    door = DoorAlone("service:billing", burst=1, rate=0.1)
    assert [(await door.send(rename())).status_code for _ in range(5)] == [200] * 5


async def test_reading_an_outcome_costs_a_token() -> None:
    door = DoorAlone(burst=2, rate=0.1)
    assert [(await door.outcome(ORG, rename()["id"])).status_code for _ in range(3)] == [404, 404, 429]
    assert (await door.send(rename())).status_code == 429
    assert (await door.outcome(ORG, rename()["id"], "service:audit")).status_code == 404


@pytest.mark.parametrize(("size", "tokens"), [(0, 1), (1, 1), (4096, 1), (4097, 2), (256 * 1024, 64), (4194304, 1024)])
def test_a_body_costs_a_token_for_each_started_4_kib(size: int, tokens: int) -> None:
    assert body_tokens(b" " * size) == tokens


@pytest.mark.parametrize(("size", "left"), [(4096, 9), (4097, 8), (40_960, 0)])
async def test_a_command_is_charged_by_its_size(size: int, left: int) -> None:
    door = DoorAlone(burst=10, rate=0.001)
    await door.send(b" " * size)
    answers = [(await door.send(b"{")).status_code for _ in range(left + 1)]
    assert answers == [400] * left + [429]


async def test_a_large_body_may_overdraw_a_bucket_that_is_not_empty() -> None:
    door = DoorAlone(burst=1, rate=1)
    assert (await door.send(orjson.dumps(rename()) + b" " * 40_000)).status_code == 200
    limited = await door.send(rename())
    assert limited.status_code == 429
    assert 9 <= int(limited.headers["retry-after"]) <= 10


async def test_a_batch_costs_the_larger_of_its_items_and_its_size() -> None:
    for body, tokens in ((b"[" + b",".join([b"1"] * 30) + b"]", 30), (b"[1" + b" " * 81_000 + b"]", 20)):
        door = DoorAlone(burst=10, rate=1)
        await door.send_batch(body)
        limited = await door.send_batch(body)
        assert tokens - 10 <= int(limited.headers["retry-after"]) <= tokens - 8


@pytest.mark.parametrize("path", ["/v1/commands", "/v1/commands:batch"])
async def test_a_body_is_charged_before_it_is_parsed(path: str) -> None:
    """Of two simultaneous large bodies with invalid JSON, the second gets 429, not 400: the bucket is overdrawn."""
    door = DoorAlone(burst=2, rate=0.01)
    answers = await asyncio.gather(*[door.post(path, b"[{" + b" " * 100_000) for _ in range(2)])
    assert sorted(answer.status_code for answer in answers) == [400, 429]
    assert (await door.post(path, b"not JSON")).status_code == 429


async def test_a_body_over_the_rate_is_not_read() -> None:
    door, read = DoorAlone(burst=1, rate=0.01), list[int]()
    await door.send(rename())

    async def body() -> AsyncIterator[bytes]:
        read.append(1)
        yield b"{}"

    answer = await door.client.post("/v1/commands", content=body(), headers=door.bearer())
    assert (answer.status_code, read) == (429, [])
