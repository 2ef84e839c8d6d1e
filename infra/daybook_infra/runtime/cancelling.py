"""A cancellation that got lost on its way is found again."""

import asyncio


def heed_cancellation() -> None:
    """Raises CancelledError in a task that has been cancelled. Cleaning up after a cancellation can fail, as the
    rollback on a lost connection does: what comes out then is an outage, and whoever retries would go on for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
