"""Stops a service that gets SIGTERM or SIGINT while it is still starting. Later, `serve` handles these signals."""

import asyncio
from collections.abc import Coroutine
from signal import SIGINT, SIGTERM
from typing import Any, Final

from daybook_infra.runtime.logs import get_logger

STOPPING_SIGNALS: Final = (SIGTERM, SIGINT)

log = get_logger(__name__)


async def stoppable(service: Coroutine[Any, Any, None]) -> None:
    """Runs the service to its end. A signal before `serve` cancels the service, which counts as a clean stop.

    In a container the service is process 1, for which the system ignores SIGTERM until there is a handler.
    """
    running = asyncio.ensure_future(service)
    is_stopping = asyncio.Event()

    def stop() -> None:
        if not is_stopping.is_set():  # a second cancellation would interrupt the cleaning up
            is_stopping.set()
            running.cancel()

    for number in STOPPING_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.wait({running})
    if is_stopping.is_set() and running.cancelled():
        log.info("stopped_while_starting")
    else:
        running.result()
