"""Long work yields to the event loop, and requests of several principals take turns."""

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

LOADER, ANN = Service("loader"), User(USER)


@pytest.fixture
def _one_step_per_turn(monkeypatch: pytest.MonkeyPatch) -> None:
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
def counting_turns() -> Iterator[Loop]:
    loop = Loop()
    counter = asyncio.create_task(loop.count())
    yield loop
    counter.cancel()


def steps_noting(name: str, log: list[str], steps: int) -> Steps[str]:
    for _ in range(steps):
        log.append(name)
        yield
    return name


@pytest.mark.usefixtures("_one_step_per_turn")
async def test_several_pieces_of_work_take_turns() -> None:
    shared, log = TimeSlices(), list[str]()
    done = await asyncio.gather(*[shared.run(LOADER, steps_noting(name, log, 30)) for name in "abc"])
    assert done == ["a", "b", "c"]
    # Within a round, the counts differ by one. The work that starts first may be another step ahead.
    progress = [Counter(log[:length]) for length in range(len(log) + 1)]
    assert all(max(each.values()) - min(each[name] for name in "abc") <= 2 for each in progress[1:])


@pytest.mark.usefixtures("_one_step_per_turn")
async def test_many_requests_of_one_principal_delay_others_by_one_step_per_turn() -> None:
    shared, log = TimeSlices(), list[str]()
    many = [asyncio.create_task(shared.run(LOADER, steps_noting("many", log, 10))) for _ in range(64)]
    await asyncio.sleep(0)
    one = asyncio.create_task(shared.run(ANN, steps_noting("one", log, 5)))
    await one
    # A few steps may run before the other principal's first step. After that, the two principals alternate.
    before, *between = "".join(note[0] for note in log).split("o")[:5]
    assert len(before) <= 3
    assert between == ["m"] * 4
    await asyncio.gather(*many)


async def test_a_cancelled_request_passes_its_turn_on() -> None:
    shared = TimeSlices()
    first, *cancelled = [asyncio.create_task(shared.wait(LOADER)) for _ in range(4)]
    last = asyncio.create_task(shared.wait(ANN))
    await asyncio.sleep(0)
    assert first.done()
    cancelled[2].cancel()  # while waiting
    await asyncio.sleep(0)
    cancelled[0].cancel()  # just after getting the turn
    cancelled[1].cancel()
    async with asyncio.timeout(1):
        await last
        await asyncio.wait(cancelled)
        await shared.wait(LOADER)
    assert all(task.cancelled() for task in cancelled)


async def test_short_work_does_not_yield() -> None:
    log = list[str]()
    with counting_turns() as loop:
        assert await TimeSlices().run(LOADER, steps_noting("a", log, 3)) == "a"
        assert loop.turns == 0


@pytest.mark.usefixtures("_one_step_per_turn")
async def test_an_exception_is_raised_and_ends_the_turn() -> None:
    shared = TimeSlices()
    with pytest.raises(ZeroDivisionError):
        await shared.map(LOADER, lambda number: 1 // number, [1, 0])
    assert await shared.map(LOADER, str, [1, 2]) == ["1", "2"]


@pytest.mark.usefixtures("_one_step_per_turn")
async def test_a_batch_yields_while_it_is_parsed_published_and_answered(door: DoorAlone) -> None:
    commands = [rename(f"n{number}") for number in range(BATCH_ITEMS)]
    with counting_turns() as loop:
        answer = await door.send_batch(commands)
        assert {item["status"] for item in answer.json()} == {200}
        assert loop.turns >= 4 * BATCH_ITEMS


@pytest.mark.usefixtures("_one_step_per_turn")
@pytest.mark.parametrize(
    "name", ["1,000 tiny items with NaN", "15 largest commands", "90,000 brackets", "escaped quotes"]
)
async def test_a_hostile_batch_lets_other_tasks_run(door: DoorAlone, name: str) -> None:
    with counting_turns() as loop:
        await door.send_batch(dict(batches())[name])
        assert loop.turns >= 15


@pytest.mark.usefixtures("_one_step_per_turn")
async def test_simultaneous_large_commands_are_parsed_in_separate_turns() -> None:
    door, body = DoorAlone("service:loader"), valid_envelope(10_000)
    with counting_turns() as loop:
        answers = await asyncio.gather(*[door.send(body) for _ in range(30)])
        assert {answer.status_code for answer in answers} == {200}
        assert loop.turns >= 30


@pytest.mark.parametrize("sender", [f"user:{USER}", "service:loader"])
@pytest.mark.parametrize("actor", [USER, None])
async def test_a_too_large_normal_form_is_refused(door: DoorAlone, sender: str, actor: str | None) -> None:
    config = {"y": "y" * 200_000, "x": ["1e15"] * 9_000}
    data = {"project_id": ORG, "type": "shop", "name": "n", "config": config}
    body = orjson.dumps(rename(type="CREATE_CONNECTION", actor_user_id=actor, data=data)).replace(b'"1e15"', b"1e15")
    assert (await door.send(body, sender)).status_code == 413
    assert [item["status"] for item in (await door.send_batch(b"[" + body + b"]", sender)).json()] == [413]
    assert door.kafka.calls == []
