"""Only a few commands are parsed in one iteration of the event loop, and orgs take turns."""

import asyncio

import pytest

from daybook_command.http.parse_turns import MOST_AT_ONCE, ParseTurns


class Requests:
    """`begun`: the bodies whose turns have come."""

    def __init__(self) -> None:
        self.turns, self.begun = ParseTurns(), list[bytes]()

    async def send(self, body: bytes) -> None:
        await self.turns.wait(body)
        self.begun.append(body)

    async def send_all(self, *bodies: bytes) -> list["asyncio.Task[None]"]:
        sent = [asyncio.create_task(self.send(body)) for body in bodies]
        await asyncio.sleep(0)
        return sent


def of_org(org: str, number: int = 0) -> bytes:
    return b'{"n": %d, "org_id": "%s"}' % (number, org.encode())


async def test_few_commands_begin_at_once_and_the_others_in_later_iterations() -> None:
    requests = Requests()
    bodies = [of_org("a", number) for number in range(3 * MOST_AT_ONCE)]
    sent = await requests.send_all(*bodies)
    assert requests.begun == bodies[:MOST_AT_ONCE]
    longest = 0
    while len(requests.begun) < len(bodies):
        before = len(requests.begun)
        await asyncio.sleep(0)
        longest = max(longest, len(requests.begun) - before)
    assert (requests.begun, longest) == (bodies, MOST_AT_ONCE)
    await asyncio.gather(*sent)


async def test_a_request_of_a_quiet_org_is_not_behind_all_of_a_busy_one() -> None:
    requests = Requests()
    sent = await requests.send_all(*[of_org("busy", number) for number in range(100)], of_org("quiet"))
    for _ in range(2):
        await asyncio.sleep(0)
    assert of_org("quiet") in requests.begun
    assert len(requests.begun) <= 2 * MOST_AT_ONCE
    await asyncio.gather(*sent)


async def test_a_cancelled_request_takes_no_turn() -> None:
    requests = Requests()
    sent = await requests.send_all(*[of_org("a", number) for number in range(4 * MOST_AT_ONCE)])
    for each in sent[MOST_AT_ONCE : 3 * MOST_AT_ONCE]:
        each.cancel()
    await asyncio.gather(*sent, return_exceptions=True)
    assert len(requests.begun) == 2 * MOST_AT_ONCE
    await requests.send_all(of_org("b"))
    assert requests.begun[-1] == of_org("b")


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b'{"org_id": 7}', b'{"org_id": "\xff"}', b"[" * 5_000])
async def test_a_body_that_is_not_valid_gets_a_turn_too(body: bytes) -> None:
    requests = Requests()
    await asyncio.gather(*await requests.send_all(*[of_org("a")] * MOST_AT_ONCE, body))
    assert requests.begun[-1] == body
