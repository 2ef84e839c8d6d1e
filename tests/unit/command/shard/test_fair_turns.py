"""Keys take turns in the queue of local commands, and each key's commands stay in order."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daybook_command.shard.arrivals import Arrival
from daybook_command.shard.inbox import Inbox
from daybook_command.shard.intake import SentCommand
from daybook_command.shard.local_queue import KEYS_KEPT
from support.local_commands import local, ticket
from support.one_shard import ORG

KEYS = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(4)]
QUIET = KEYS[0]
MOST = 4
# A step is either the keys of commands that arrive, or how many commands of the next batch are put back.
STEPS = st.lists(st.one_of(st.lists(st.sampled_from(KEYS), max_size=12), st.integers(0, MOST)), max_size=30)


def of_key(number: int, key: str) -> SentCommand:
    made = local(number)
    return replace(made, command=made.command.model_copy(update={"org_id": key}))


def numbers(arrivals: list[Arrival]) -> list[int]:
    return [int((each.ticket or b"").removeprefix(b"ticket-")) for each in arrivals]


def inbox_with(*keys: str, most: int = MOST) -> Inbox:
    inbox = Inbox(0, 1, most)
    inbox.add_local(of_key(number, key) for number, key in enumerate(keys))
    return inbox


def batches(inbox: Inbox) -> list[list[int]]:
    found = []
    while inbox:
        found.append(numbers(inbox.take()[0]))
    return found


def test_keys_take_turns() -> None:
    assert batches(inbox_with(ORG, ORG, ORG, KEYS[0], KEYS[0], KEYS[1])) == [[0, 3, 5, 1], [4, 2]]


def test_a_command_of_a_quiet_key_is_in_the_next_batch_however_many_another_key_has_queued() -> None:
    inbox = inbox_with(*[ORG] * 1_000)
    inbox.take()
    inbox.add_local([of_key(1_000, QUIET)])
    assert numbers(inbox.take()[0]) == [1_000, 4, 5, 6]


def test_a_key_does_not_save_up_turns_while_it_sends_nothing() -> None:
    inbox = inbox_with(*[ORG] * 100, most=50)
    inbox.take()
    inbox.add_local(of_key(number, QUIET) for number in range(100, 140))
    taken = numbers(inbox.take()[0])
    assert sum(number >= 100 for number in taken) <= len(taken) / 2 + 1


def test_turns_of_withdrawn_commands_do_not_count_for_their_key() -> None:
    inbox = inbox_with(*[ORG] * 50, *[QUIET] * 20)
    inbox.withdraw({ticket(number) for number in range(50)})
    inbox.add_local([of_key(70, ORG)])
    assert 70 in numbers(inbox.take()[0])


def test_what_waits_is_counted_by_key() -> None:
    inbox = inbox_with(ORG, ORG, QUIET)
    size = inbox.local.size // 3
    assert (inbox.local.counts, inbox.local.sizes) == ({ORG: 2, QUIET: 1}, {ORG: 2 * size, QUIET: size})
    taken, _ = inbox.take()
    assert (inbox.local.count, inbox.local.size, inbox.local.counts) == (0, 0, {})
    inbox.put_back(taken[1:])
    assert inbox.local.counts == {ORG: 1, QUIET: 1}


def test_keys_whose_turns_are_over_are_forgotten() -> None:
    inbox = Inbox(0, 1, MOST)
    for number in range(5_000):
        inbox.add_local([of_key(number, f"{number % 2_500:08x}-0000-4000-8000-000000000000")])
        inbox.take()
    assert len(inbox.local.last_turns) <= KEYS_KEPT


def test_keys_that_never_come_again_are_forgotten() -> None:
    inbox = Inbox(0, 1, MOST)
    for number in range(5_000):
        inbox.add_local([of_key(number, f"{number:08x}-0000-4000-8000-000000000000")])
        inbox.take()
    assert len(inbox.local.last_turns) <= KEYS_KEPT


def test_a_command_whose_key_was_forgotten_can_be_put_back_and_withdrawn() -> None:
    inbox = Inbox(0, 1, 2 * KEYS_KEPT)
    inbox.add_local(of_key(number, f"{number:08x}-0000-4000-8000-000000000000") for number in range(KEYS_KEPT))
    inbox.add_local(of_key(KEYS_KEPT + number, ORG) for number in range(4))
    taken, _ = inbox.take()
    inbox.put_back(taken)
    assert numbers(taken)[0] == 0
    assert KEYS[0] not in inbox.local.last_turns
    assert inbox.withdraw({ticket(0)}) == [ticket(0)]
    assert inbox.local.count == len(inbox.local.line) == KEYS_KEPT + 3


def test_newcomers_that_are_withdrawn_are_not_counted() -> None:
    inbox = inbox_with(*KEYS, *[ORG] * 3)
    assert inbox.local.front == len(KEYS) + 1
    inbox.withdraw({ticket(number) for number in range(len(KEYS))})
    assert inbox.local.front == 1


def test_a_key_that_sends_one_command_after_another_waits_for_at_most_one_command_of_the_other_key() -> None:
    inbox = inbox_with(*[ORG] * 100)
    inbox.take()
    for number in range(100, 120):
        inbox.add_local([of_key(number, QUIET)])
        inbox.most_local = inbox.local.front
        taken = numbers(inbox.take()[0])
        assert taken[-1] == number
        assert len(taken) <= 2


@given(STEPS)
def test_the_commands_of_each_key_stay_in_order(steps: list[list[str] | int]) -> None:
    """Whatever arrives, and whatever is put back because a batch ended early or its decision crashed."""
    inbox, sent, decided = Inbox(0, 1, MOST), defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    number = 0
    for step in [*steps, *[0] * 100]:
        if isinstance(step, list):
            for key in step:
                inbox.add_local([of_key(number, key)])
                sent[key].append(number)
                number += 1
        else:
            arrivals, _ = inbox.take()
            done = len(arrivals) - min(step, len(arrivals))
            inbox.put_back(arrivals[done:])
            for arrival, each in zip(arrivals[:done], numbers(arrivals[:done]), strict=True):
                decided[arrival.key].append(each)
    assert decided == {key: [*kept] for key, kept in sent.items()}
    assert (inbox.local.count, inbox.local.size) == (0, 0)


@given(STEPS)
def test_a_lone_command_is_in_the_next_batch_or_the_one_after(steps: list[list[str] | int]) -> None:
    """There are fewer other keys than places in two batches, so it does not matter how many commands they have."""
    inbox = Inbox(0, 1, MOST)
    number = 0
    for step in steps:
        for key in step if isinstance(step, list) else []:
            inbox.add_local([of_key(number, key)] if key != QUIET else [])
            number += 1
        inbox.take()
    inbox.add_local([of_key(number, QUIET)])
    assert number in [*numbers(inbox.take()[0]), *numbers(inbox.take()[0])]
