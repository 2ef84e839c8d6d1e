"""Whoever was cancelled ends, also where cleaning up after the cancellation failed."""

import asyncio

import pytest

from daybook_infra.runtime.cancelling import heed_cancellation
from daybook_infra.runtime.errors import DatabaseAway


async def _lost() -> None:
    """As a statement whose rollback fails."""
    try:
        await asyncio.Event().wait()
    finally:
        raise DatabaseAway("the connection is lost")


async def _retry() -> None:
    while True:
        try:
            await _lost()
        except DatabaseAway:
            heed_cancellation()


async def test_a_cancellation_that_an_outage_hides_is_heeded() -> None:
    retrying = asyncio.create_task(_retry())
    await asyncio.sleep(0)
    retrying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(retrying, 5)


async def test_a_deadline_that_has_passed_is_no_cancellation() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()
    heed_cancellation()
