"""Long work gives the event loop back, and the work of several requests takes turns."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest

from daybook_command.http import time_slices as turns
from daybook_command.http.time_slices import TimeSlices
from daybook_contracts.commands.batch import Steps
from daybook_contracts.limits import BATCH_ITEMS
from daybook_contracts.senders.principals import Service, User
from support.door_doubles import ORG, USER, DoorAlone, rename
from support.hostile_bodies import batches, valid_envelope

SOMEBODY, ANOTHER = Service("loader"), User(USER)


@pytest.fixture
def _one_step_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SLICE_SECONDS", -1.0)


class Loop:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.turns = 0

    async def count(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.turns += 1


@contextmanager
def counted() -> Iterator[Loop]:
    loop = Loop()
    counting = asyncio.create_task(loop.count())
    yield loop
    counting.cancel()


def noting(name: str, notes: list[str], steps: int) -> Steps[str]:
    for _ in range(steps):
        notes.append(name)
        yield
    return name


@pytest.mark.usefixtures("_one_step_a_turn")
async def test_the_work_of_several_takes_turns() -> None:
    shared, notes = TimeSlices(), list[str]()
    done = await asyncio.gather(*[shared.run(SOMEBODY, noting(name, notes, 30)) for name in "abc"])
    assert done == ["a", "b", "c"]
    # Whoever begins may be a step ahead.
    progress = [Counter(notes[:length]) for length in range(len(notes) + 1)]
    assert all(max(each.values()) - min(each[name] for name in "abc") <= 2 for each in progress[1:])


@pytest.mark.usefixtures("_one_step_a_turn")
async def test_many_requests_of_one_principal_delay_another_s_by_one_step_a_turn() -> None:
    shared, notes = TimeSlices(), list[str]()
    many = [asyncio.create_task(shared.run(SOMEBODY, noting("many", notes, 10))) for _ in range(64)]
    await asyncio.sleep(0)
    one = asyncio.create_task(shared.run(ANOTHER, noting("one", notes, 5)))
    await one
    # Some are under way when it comes; from then on theirs and its own alternate.
    before, *between = "".join(note[0] for note in notes).split("o")[:5]
    assert len(before) <= 3
    assert between == ["m"] * 4
    await asyncio.gather(*many)


async def test_whoever_goes_away_leaves_its_turn_to_the_next() -> None:
    shared = TimeSlices()
    first, *gone = [asyncio.create_task(shared.wait(SOMEBODY)) for _ in range(4)]
    last = asyncio.create_task(shared.wait(ANOTHER))
    await asyncio.sleep(0)
    assert first.done()
    gone[2].cancel()  # while it waits
    await asyncio.sleep(0)
    gone[0].cancel()  # when it was just given the turn
    gone[1].cancel()
    async with asyncio.timeout(1):
        await last
        await asyncio.wait(gone)
        await shared.wait(SOMEBODY)
    assert all(task.cancelled() for task in gone)


async def test_short_work_is_done_in_one_go() -> None:
    notes = list[str]()
    with counted() as loop:
        assert await TimeSlices().run(SOMEBODY, noting("a", notes, 3)) == "a"
        assert loop.turns == 0


@pytest.mark.usefixtures("_one_step_a_turn")
async def test_what_the_work_raises_comes_through_and_ends_its_turn() -> None:
    shared = TimeSlices()
    with pytest.raises(ZeroDivisionError):
        await shared.map(SOMEBODY, lambda number: 1 // number, [1, 0])
    assert await shared.map(SOMEBODY, str, [1, 2]) == ["1", "2"]


@pytest.mark.usefixtures("_one_step_a_turn")
async def test_a_batch_gives_the_loop_back_while_it_is_parsed_published_and_answered(door: DoorAlone) -> None:
    commands = [rename(f"n{number}") for number in range(BATCH_ITEMS)]
    with counted() as loop:
        answer = await door.send_batch(commands)
        assert {item["status"] for item in answer.json()} == {200}
        assert loop.turns >= 4 * BATCH_ITEMS


@pytest.mark.usefixtures("_one_step_a_turn")
@pytest.mark.parametrize(
    "name", ["1,000 tiny items with NaN", "15 largest commands", "90,000 brackets", "escaped quotes"]
)
async def test_a_hostile_batch_gives_the_loop_back(door: DoorAlone, name: str) -> None:
    with counted() as loop:
        await door.send_batch(dict(batches())[name])
        assert loop.turns >= 15


@pytest.mark.usefixtures("_one_step_a_turn")
async def test_large_commands_that_come_at_once_are_parsed_in_turns_of_the_loop_of_their_own() -> None:
    door, body = DoorAlone("service:loader"), valid_envelope(10_000)
    with counted() as loop:
        answers = await asyncio.gather(*[door.send(body) for _ in range(30)])
        assert {answer.status_code for answer in answers} == {200}
        assert loop.turns >= 30


@pytest.mark.parametrize("sender", [f"user:{USER}", "service:loader"])
@pytest.mark.parametrize("actor", [USER, None])
async def test_a_command_that_is_too_large_in_its_normal_form_is_refused_whoever_sends_it(
    door: DoorAlone, sender: str, actor: str | None
) -> None:
    config = {"y": "y" * 200_000, "x": ["1e15"] * 9_000}
    data = {"project_id": ORG, "type": "shop", "name": "n", "config": config}
    body = orjson.dumps(rename(type="CREATE_CONNECTION", actor_user_id=actor, data=data)).replace(b'"1e15"', b"1e15")
    assert (await door.send(body, sender)).status_code == 413
    assert [item["status"] for item in (await door.send_batch(b"[" + body + b"]", sender)).json()] == [413]
    assert door.kafka.calls == []
