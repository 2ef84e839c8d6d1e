"""A service that is stopped while it starts cleans up once; other cancellations are not taken for a stop."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from daybook_infra.runtime.signals import STOPPING_SIGNALS, stoppable


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOPPING_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("second", STOPPING_SIGNALS)
async def test_a_second_signal_does_not_interrupt_the_cleanup(second: signal.Signals) -> None:
    ended: list[str] = []

    async def service() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            signal.raise_signal(second)
            await asyncio.sleep(0.05)  # the loop handles the signal meanwhile
            ended.append("cleaned up")

    await stoppable(service())
    assert ended == ["cleaned up"]


async def test_a_cancellation_without_a_signal_is_an_error() -> None:
    async def service() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await stoppable(service())
