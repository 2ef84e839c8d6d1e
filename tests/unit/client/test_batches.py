"""The requests of one attempt: answers in, the next request and one verdict for each command out."""

import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook_client import Accepted, Code, CredentialsRefused, Rejected, commands
from daybook_client.answers import BATCH, Answer
from daybook_client.attempts import Again, Verdict
from daybook_client.command import Command
from daybook_client.http.batches import NOT_SENT, Batches, split
from daybook_contracts.commands.batch import run_steps, split_batch
from daybook_contracts.limits import BATCH_BYTES, BATCH_ITEMS, BATCH_VALUES
from daybook_contracts.results import encode_body, problem

ORG = "00000000-0000-4000-8000-000000000001"
LOST = Again("lost")

Numbers = list[int]
Refuse = Callable[[Numbers], Answer | Again | CredentialsRefused | None]


def renames(count: int) -> list[Command]:
    """Each has its number as its name."""
    return [commands.RenameOrg(org_id=ORG, name=f"{at}") for at in range(count)]


def refused(code: Code, status: int) -> Answer:
    return Answer(status, {}, encode_body(problem(code, "why", status=status)))


def attempt(asked: Sequence[Command], refuse: Refuse) -> tuple[list[Verdict], list[Numbers]]:
    """The verdicts, and the numbers of the commands in each request. `refuse` gets these numbers and returns the
    answer; if it returns None, all commands are accepted, with their numbers as positions.
    """
    batches, requests = Batches(asked, None), list[Numbers]()
    while (request := batches.next()) is not None:
        path, body = request
        found = json.loads(body) if path == BATCH else [json.loads(body)]
        requests.append([int(each["data"]["name"]) for each in found])
        items = [
            {"command_id": each["id"], "result": "success", "position": each["data"]["name"], "status": 200}
            for each in found
        ]
        accepted = Answer(200, {}, json.dumps(items if path == BATCH else items[0]).encode())
        batches.take(refuse(requests[-1]) or accepted)
    return batches.verdicts(), requests


def accepted(asked: Sequence[Command]) -> list[Verdict]:
    return [Accepted(command, str(at), ()) for at, command in enumerate(asked)]


@pytest.mark.parametrize(
    "refusal",
    [
        refused(Code.INVALID_COMMAND, 400),
        refused(Code.INVALID_COMMAND, 413),
        Answer(413, {}, b"<html>a proxy's own page</html>"),
        Answer(409, {}, b'{"code": "NEW_RULE", "detail": "why"}'),
    ],
)
@given(st.integers(1, 40), st.integers(1, 9))
def test_a_batch_that_is_refused_as_a_whole_is_halved_until_it_is_accepted(
    refusal: Answer, count: int, limit: int
) -> None:
    asked = renames(count)
    verdicts, requests = attempt(asked, lambda numbers: refusal if len(numbers) > limit else None)
    assert verdicts == accepted(asked)
    assert [at for numbers in requests if len(numbers) <= limit for at in numbers] == list(range(count))


def test_only_the_refused_batch_is_halved() -> None:
    asked, refusal = renames(2 * BATCH_ITEMS + 4), refused(Code.INVALID_COMMAND, 400)
    too_large = [(1000, 1000), (1500, 500)]
    verdicts, requests = attempt(asked, lambda numbers: refusal if (numbers[0], len(numbers)) in too_large else None)
    assert verdicts == accepted(asked)
    halves = [(1000, 500), *too_large[1:], (1500, 250), (1750, 250)]
    assert [(numbers[0], len(numbers)) for numbers in requests] == [(0, 1000), too_large[0], *halves, (2000, 4)]


@pytest.mark.parametrize("at", [0, 3, 6])
def test_only_the_command_that_is_refused_alone_is_rejected(at: int) -> None:
    asked = renames(7)
    verdicts, _ = attempt(asked, lambda numbers: refused(Code.INVALID_COMMAND, 400) if at in numbers else None)
    expected = accepted(asked)
    expected[at] = Rejected(asked[at], Code.INVALID_COMMAND, "why", 400)
    assert verdicts == expected


def test_each_command_of_a_batch_gets_the_refusal_of_its_sender() -> None:
    asked = renames(BATCH_ITEMS + 3)
    verdicts, requests = attempt(asked, lambda numbers: refused(Code.FORBIDDEN, 403) if 0 in numbers else None)
    first = [Rejected(command, Code.FORBIDDEN, "why", 403) for command in asked[:BATCH_ITEMS]]
    assert verdicts == [*first, *accepted(asked)[BATCH_ITEMS:]]
    assert [len(numbers) for numbers in requests] == [BATCH_ITEMS, 3]


@pytest.mark.parametrize("unclear", [LOST, Answer(502, {}, b"Bad gateway"), refused(Code.UNAVAILABLE, 503)])
def test_nothing_is_sent_after_a_batch_without_an_outcome(unclear: Answer | Again) -> None:
    asked, refusal = renames(BATCH_ITEMS + 3), refused(Code.INVALID_COMMAND, 400)
    answers = {(0, 1000): refusal, (0, 500): None, (500, 500): refusal, (500, 250): unclear}
    verdicts, requests = attempt(asked, lambda numbers: answers[numbers[0], len(numbers)])
    assert [(numbers[0], len(numbers)) for numbers in requests] == list(answers)
    assert verdicts[:500] == accepted(asked)[:500]
    assert all(isinstance(each, Again) and each != NOT_SENT for each in verdicts[500:750])
    assert verdicts[750:] == [NOT_SENT] * (len(asked) - 750)


def test_a_refused_token_is_the_verdict_of_all_further_commands() -> None:
    asked, expired = renames(2 * BATCH_ITEMS + 3), CredentialsRefused("expired")
    verdicts, requests = attempt(asked, lambda numbers: expired if BATCH_ITEMS in numbers else None)
    assert verdicts == [*accepted(asked)[:BATCH_ITEMS], *[expired] * (BATCH_ITEMS + 3)]
    assert [numbers[0] for numbers in requests] == [0, BATCH_ITEMS]


def parts(bodies: Sequence[bytes]) -> list[list[bytes]]:
    command = renames(1)[0]
    return [[body for _, body in part] for part in split([(command, body) for body in bodies])]


def array(values: int) -> bytes:
    """An array that has this many values, itself included."""
    return b"[" + b",".join([b"0"] * (values - 1)) + b"]"


@given(
    st.lists(
        st.builds(array, st.integers(2, 60_000))
        | st.integers(1, BATCH_BYTES).map(lambda size: b'"' + b"x" * size + b'"')
        | st.sampled_from([b'"' + b",[{" * 20_000 + b'"', b"[" + b"[]," * 20_000 + b"{}]"]),
        min_size=1,
        max_size=12,
    )
)
def test_every_part_is_a_batch_that_daybook_takes(bodies: list[bytes]) -> None:
    found = parts(bodies)
    assert [body for part in found for body in part] == bodies
    for part in found:
        if len(part) > 1:
            assert run_steps(split_batch(b"[" + b",".join(part) + b"]")) == part


@pytest.mark.parametrize(
    ("bodies", "counts"),
    [
        ([b"0"] * (BATCH_ITEMS + 1), [BATCH_ITEMS, 1]),
        ([array(10_000)] * 9 + [array(BATCH_VALUES - 90_001)], [10]),
        ([array(10_000)] * 9 + [array(BATCH_VALUES - 90_000)], [9, 1]),
        ([b"x" * (BATCH_BYTES // 2 - 2), b"x" * (BATCH_BYTES // 2 - 2)], [2]),
        ([b"x" * (BATCH_BYTES // 2 - 2), b"x" * (BATCH_BYTES // 2)], [1, 1]),
        ([array(BATCH_VALUES + 1), b"0", b"0"], [1, 2]),
    ],
)
def test_the_parts_are_as_large_as_a_batch_may_be(bodies: list[bytes], counts: list[int]) -> None:
    assert [len(part) for part in parts(bodies)] == counts
