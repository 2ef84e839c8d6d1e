"""How the client waits for a position."""

import pytest

from daybook_client import Misuse
from daybook_client.answers import Answer
from daybook_client.http.reads import GRACE_SECONDS, LONGEST_WAIT_SECONDS, PAUSE_SECONDS, SPARE_SECONDS, Waiting

WAITING = Waiting("3.7", 25.0, 100.0)


def answer(status: int, **headers: str) -> Answer:
    return Answer(status, headers, b"")


def test_the_server_is_asked_to_wait_and_its_answer_has_a_time_limit() -> None:
    paths = [WAITING.request(now) for now in (100.0, 121.5, 130.0)]
    asked = [(LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS + SPARE_SECONDS), (3, 3.5 + GRACE_SECONDS), (0, GRACE_SECONDS)]
    assert paths == [(f"/v1/positions/3.7?wait={wait}", limit) for wait, limit in asked]


def test_the_wait_ends_when_the_tables_have_the_position() -> None:
    assert WAITING.pause(answer(204), 124.9) is None


@pytest.mark.parametrize("unclear", [None, answer(504), answer(503), answer(429)])
def test_without_a_clear_answer_the_wait_continues_until_its_timeout(unclear: Answer | None) -> None:
    assert WAITING.pause(unclear, 110.0) == PAUSE_SECONDS
    with pytest.raises(TimeoutError, match=r"3\.7 is not in the tables after 25 s"):
        WAITING.pause(unclear, 124.9)


def test_the_next_request_is_sent_when_the_server_says() -> None:
    assert WAITING.pause(answer(503, **{"retry-after": "4"}), 110.0) == 4.0


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_position_that_the_server_refuses_is_misuse(status: int) -> None:
    with pytest.raises(Misuse):
        WAITING.pause(answer(status), 110.0)
