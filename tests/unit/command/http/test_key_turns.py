"""The turns of calls that publish commands with the same routing keys."""

from collections import deque

from daybook_command.http.key_turns import KeyTurns, Turn


async def is_first(turn: Turn) -> bool:
    return await turn.has_come(0)


async def test_a_turn_comes_at_once_if_no_other_has_one_of_its_keys() -> None:
    turns = KeyTurns()
    turns.join(["a", "b"])
    assert await is_first(turns.join(["c", "d"]))


async def test_a_turn_comes_when_all_earlier_ones_with_its_keys_have_left() -> None:
    turns = KeyTurns()
    first, second, third = turns.join(["a", "b"]), turns.join(["c"]), turns.join(["b", "c"])
    assert not await is_first(third)
    turns.leave(first)
    assert not await is_first(third)
    turns.leave(second)
    assert await is_first(third)


async def test_a_turn_that_leaves_before_it_has_come_lets_nobody_overtake_the_one_ahead() -> None:
    turns = KeyTurns()
    first, second, third = (turns.join(["a"]) for _ in range(3))
    turns.leave(second)
    assert not await is_first(third)
    turns.leave(first)
    assert await is_first(third)


async def test_a_later_turn_with_a_free_key_waits_for_an_earlier_one_that_waits_itself() -> None:
    turns = KeyTurns()
    first, second = turns.join(["a"]), turns.join(["a", "b"])
    third = turns.join(["b"])
    turns.leave(first)
    assert [await is_first(each) for each in (second, third)] == [True, False]


def test_each_key_is_looked_at_only_a_few_times_if_two_turns_have_the_same_keys() -> None:
    class CountingKeys(dict[str, deque[Turn]]):
        asked = 0

        def __getitem__(self, key: str) -> deque[Turn]:
            CountingKeys.asked += 1
            return super().__getitem__(key)

        def __missing__(self, key: str) -> deque[Turn]:
            return self.setdefault(key, deque())

    turns, keys = KeyTurns(), [f"{number}" for number in range(500)]
    turns._lines = CountingKeys()  # type: ignore[assignment]  # counts what is looked at
    first, _ = turns.join(keys), turns.join(keys)
    turns.leave(first)
    assert CountingKeys.asked <= 10 * len(keys)


async def test_nothing_is_kept_of_turns_that_have_left() -> None:
    turns = KeyTurns()
    for turn in [turns.join(["a", "b"]), turns.join(["b"])]:
        turns.leave(turn)
    assert not turns._lines
