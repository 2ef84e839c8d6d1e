"""How many commands a user may send."""

import pytest

from daybook_command.http.rate import MOST_BUCKETS, Buckets
from support.door_doubles import OTHER, DoorAlone, rename


class Clock:
    """Stands still until it is told to go on; seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_new_bucket_holds_the_burst_and_no_more(clock: Clock) -> None:
    buckets = Buckets(50, 3, clock)
    assert [buckets.take("ada") for _ in range(3)] == [0.0] * 3
    assert buckets.take("ada") == pytest.approx(1 / 50)


def test_a_bucket_fills_with_time_up_to_the_burst(clock: Clock) -> None:
    buckets = Buckets(2, 4, clock)
    assert [buckets.take("ada") for _ in range(4)] == [0.0] * 4
    clock.now += 1
    assert [bool(buckets.take("ada")) for _ in range(3)] == [False, False, True]
    clock.now += 1000
    assert [bool(buckets.take("ada")) for _ in range(5)] == [False] * 4 + [True]


def test_a_refused_request_costs_nothing(clock: Clock) -> None:
    buckets = Buckets(1, 1, clock)
    buckets.take("ada")
    waits = [buckets.take("ada") for _ in range(3)]
    assert waits == [1.0, 1.0, 1.0]


def test_an_overdrawn_bucket_says_how_long_until_it_holds_a_token(clock: Clock) -> None:
    buckets = Buckets(50, 200, clock)
    buckets.take("ada")
    buckets.overdraw("ada", 999)
    assert buckets.take("ada") == pytest.approx(801 / 50)


def test_one_senders_bucket_is_not_anothers(clock: Clock) -> None:
    buckets = Buckets(1, 1, clock)
    buckets.take("ada")
    assert buckets.take("bob") == 0.0


def test_memory_is_bounded_and_the_longest_unheard_of_is_forgotten(clock: Clock) -> None:
    buckets = Buckets(1, 1, clock)
    for number in range(MOST_BUCKETS + 1):
        buckets.take(str(number))
    assert buckets.take("1") > 0
    assert buckets.take("0") == 0.0


async def test_a_user_over_its_rate_is_told_when_to_come_back() -> None:
    door = DoorAlone(burst=2, rate=0.5)
    answers = [await door.send(rename()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "TOO_MANY_REQUESTS"
    assert answers[2].headers["content-type"] == "application/problem+json"
    assert int(answers[2].headers["retry-after"]) == 2
    assert len(door.kafka.records) == 2
    assert (await door.send(rename(actor_user_id=OTHER), f"user:{OTHER}")).status_code == 200


async def test_malformed_commands_cost_a_token_too() -> None:
    door = DoorAlone(burst=1, rate=0.1)
    assert (await door.send(b"{")).status_code == 400
    assert (await door.send(b"{")).status_code == 429


async def test_a_batch_takes_a_token_per_item_and_may_overdraw() -> None:
    door = DoorAlone(burst=10, rate=1)
    answer = await door.send_batch([rename() for _ in range(25)])
    assert {item["status"] for item in answer.json()} == {200}
    held = await door.send(rename())
    assert held.status_code == 429
    assert 15 <= int(held.headers["retry-after"]) <= 16
    assert (await door.send_batch([rename()])).status_code == 429


async def test_a_service_is_not_held_back() -> None:
    door = DoorAlone("service:billing", burst=1, rate=0.1)
    assert [(await door.send(rename())).status_code for _ in range(5)] == [200] * 5


async def test_asking_for_an_outcome_costs_no_token() -> None:
    door = DoorAlone(burst=1, rate=0.1)
    for _ in range(3):
        assert (await door.outcome(rename()["org_id"], rename()["id"])).status_code == 404
    assert (await door.send(rename())).status_code == 200
