"""Outages are retried: each failure is reported, and a cancelled task ends even if its clean-up fails."""

import asyncio
from collections.abc import Iterator

import pytest
import stamina
from prometheus_client import REGISTRY, generate_latest

from daybook_infra.runtime.errors import DatabaseAway, KafkaAway
from daybook_infra.runtime.retrying import Outage, retry_at_start, retry_forever


@pytest.fixture
def _without_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=10_000):
        yield


class Server:
    """Fails with each of `outages` in turn, then answers."""

    def __init__(self, *outages: Exception) -> None:
        self.outages = list(outages)
        self.attempts = 0

    async def ask(self) -> str:
        self.attempts += 1
        if self.outages:
            raise self.outages.pop(0)
        return "an answer"


def ignore(_: Outage) -> None:
    pass


@pytest.mark.usefixtures("_without_pauses")
async def test_an_outage_is_retried_until_it_ends_and_each_failure_reported(caplog: pytest.LogCaptureFixture) -> None:
    outages = [DatabaseAway("one"), KafkaAway("other"), *(KafkaAway("long") for _ in range(2_000))]
    reported: list[Outage] = []
    server = Server(*outages)
    assert await retry_forever(server.ask, reported.append) == "an answer"
    assert reported == outages
    # The library stamina itself must not log or count the retries.
    assert not caplog.records
    assert b"stamina" not in generate_latest(REGISTRY)


async def test_anything_but_an_outage_is_not_retried() -> None:
    server = Server(ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        await retry_forever(server.ask, ignore)
    assert server.attempts == 1


@pytest.mark.usefixtures("_without_pauses")
async def test_a_start_logs_what_it_waits_for(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(KafkaAway("not there yet"))
    assert await retry_at_start(server.ask) == "an answer"
    assert ["not there yet" in record.getMessage() for record in caplog.records] == [True]


async def test_pauses_double_up_to_a_bound_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await retry_forever(Server(*(KafkaAway("away") for _ in range(1_100))).ask, ignore)
    for pause, least in zip(pauses, (0.1, 0.2, 0.4, 0.8, 1.6, 3.2), strict=False):
        assert least < pause < least + 0.1
    assert set(pauses[6:]) == {5.0}
    assert len(pauses) == 1_100


async def test_a_cancellation_hidden_by_an_outage_ends_the_task() -> None:
    async def fail_to_clean_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise DatabaseAway("the connection is lost")

    task = asyncio.create_task(retry_forever(fail_to_clean_up, ignore))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


async def test_a_cancelled_task_does_not_finish_its_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    pausing, wait = asyncio.Event(), asyncio.Event().wait

    async def sleep_forever(_: float) -> None:
        pausing.set()
        await wait()

    monkeypatch.setattr(asyncio, "sleep", sleep_forever)
    task = asyncio.create_task(retry_forever(Server(KafkaAway("away")).ask, ignore))
    await pausing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


async def test_an_expired_deadline_is_not_a_cancellation() -> None:
    outages = 0

    async def ask() -> str:
        nonlocal outages
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError as error:
            outages += 1
            if outages < 2:
                raise KafkaAway("too slow") from error
        return "an answer"

    assert await retry_forever(ask, ignore) == "an answer"
