"""Many commands in flight: outcomes come in order, each org's commands are sent in order, and memory is bounded."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from random import Random
from uuid import uuid4

import pytest

from daybook_client import Accepted, Outcome, Unknown, commands
from daybook_client.command import Command
from daybook_client.send_queues import AT_ONCE, HELD_BACK, send_through_queues

QUEUES = 8
ORGS = [str(uuid4()) for _ in range(20)]


def renames(count: int, orgs: Sequence[str] = ORGS) -> list[Command]:
    random = Random(count)
    return [commands.RenameOrg(org_id=random.choice(orgs), name=f"{at}") for at in range(count)]


async def collect(outcomes: AsyncIterator[Outcome], seen: list[Outcome]) -> None:
    async for outcome in outcomes:
        seen.append(outcome)  # noqa: PERF401 - what came before an error counts


class Daybook:
    """Answers after a random number of event loop iterations. Notes what is sent, and the most in flight at once."""

    def __init__(self) -> None:
        self.random = Random(7)
        self.sent = defaultdict[str, list[Command]](list)
        self.open = defaultdict[str, int](int)
        self.most_open = 0
        self.unknown = set[str]()

    async def send(self, several: Sequence[Command]) -> list[Outcome]:
        assert 0 < len(several) <= AT_ONCE
        keys = {command.key for command in several}
        assert not any(self.open[key] for key in keys), "the key's earlier commands have no outcome yet"
        for command in several:
            self.sent[command.key].append(command)
            self.open[command.key] += 1
        self.most_open = max(self.most_open, sum(self.open.values()))
        for _ in range(self.random.randrange(20)):
            await asyncio.sleep(0)
        for command in several:
            self.open[command.key] -= 1
        return [Unknown(each, "lost") if each.id in self.unknown else Accepted(each, "0.0", ()) for each in several]


async def test_outcomes_come_in_order_and_each_orgs_commands_are_sent_in_order() -> None:
    daybook, asked = Daybook(), renames(3000)
    outcomes = [outcome async for outcome in send_through_queues(daybook.send, asked, 400, QUEUES)]
    assert [outcome.command for outcome in outcomes] == asked
    assert dict(daybook.sent) == {org: [each for each in asked if each.key == org] for org in ORGS}
    assert 100 < daybook.most_open <= 400


async def test_commands_are_taken_no_faster_than_outcomes() -> None:
    taken = 0

    async def endless() -> AsyncIterator[Command]:
        nonlocal taken
        while True:
            taken += 1
            yield commands.RenameOrg(org_id=ORGS[0], name="x")

    async with aclosing(send_through_queues(Daybook().send, endless(), 10, QUEUES)) as outcomes:
        for at in range(50):
            await anext(outcomes)
            assert taken <= at + 12


@pytest.mark.parametrize("in_flight", [1, 3])
async def test_no_command_is_taken_beyond_those_in_flight(in_flight: int) -> None:
    taken = given = 0

    async def several() -> AsyncIterator[Command]:
        nonlocal taken
        for each in renames(20):
            taken += 1
            assert taken - given <= in_flight
            yield each

    async for _ in send_through_queues(Daybook().send, several(), in_flight, QUEUES):
        given += 1
    assert given == 20


async def test_a_command_without_a_routing_key_is_an_error_for_the_consumer() -> None:
    with pytest.raises(AttributeError):
        await collect(send_through_queues(Daybook().send, [*renames(2), {}], 10, QUEUES), [])  # type: ignore[list-item]


async def test_commands_after_an_unknown_outcome_are_held_back() -> None:
    daybook, asked = Daybook(), renames(2000, ORGS[:2])
    first = [each for each in asked if each.key == ORGS[0]]
    daybook.unknown = {first[10].id}
    outcomes = [outcome async for outcome in send_through_queues(daybook.send, asked, 100, QUEUES)]
    of_first = [outcome for outcome in outcomes if outcome.command.key == ORGS[0]]
    sent = daybook.sent[ORGS[0]]
    assert sent == first[: len(sent)]
    assert len(sent) < 150
    assert [each for each in of_first[len(sent) :] if each != Unknown(each.command, HELD_BACK)] == []
    assert all(isinstance(outcome, Accepted) for outcome in outcomes if outcome.command.key == ORGS[1])


@pytest.mark.parametrize("in_flight", [1, 1000])
async def test_an_error_reaches_the_consumer(in_flight: int) -> None:
    async def send(several: Sequence[Command]) -> list[Outcome]:
        raise LookupError(len(several))

    seen = list[Outcome]()
    with pytest.raises(LookupError):
        await collect(send_through_queues(send, renames(500), in_flight, QUEUES), seen)
    assert seen == []


async def test_an_error_of_the_command_iterator_reaches_the_consumer_after_the_outcomes() -> None:
    async def two_and_an_error() -> AsyncIterator[Command]:
        for each in renames(2):
            yield each
        raise LookupError("no more")

    seen = list[Outcome]()
    with pytest.raises(LookupError, match="no more"):
        await collect(send_through_queues(Daybook().send, two_and_an_error(), 10, QUEUES), seen)
    assert len(seen) == 2


async def test_all_tasks_end_when_the_consumer_stops() -> None:
    before = asyncio.all_tasks()
    async with aclosing(send_through_queues(Daybook().send, renames(500), 100, QUEUES)) as outcomes:
        await anext(outcomes)
    assert asyncio.all_tasks() == before
