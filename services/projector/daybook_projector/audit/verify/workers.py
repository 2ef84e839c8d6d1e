"""Runs jobs that read the log: in a process for each core, or in one thread if there is little to read."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from multiprocessing.sharedctypes import Synchronized
from typing import Final, TypeVar

from daybook_infra.operations.commands.interruptible import ENDING_SIGNALS
from daybook_infra.runtime.errors import DaybookError

T = TypeVar("T")

ShowProgress = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]
"""Called with the expected amount and a word for what is counted. Yields a function; call it with the amount
done since the last call.
"""

FEW_ENTRIES: Final = 20_000
"""It takes less time to read this many entries than to start a process."""
POLL_SECONDS: Final = 0.2

_read: "Synchronized[int] | None" = None


class WorkerLost(DaybookError):
    """A process ended before it was done, so the result of its part is not known."""


class Workers:
    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def all(self, jobs: Iterable[Callable[[], T]]) -> list[T]:
        """The results, in the order of the jobs. Raises the first error, and `WorkerLost`."""
        loop = asyncio.get_running_loop()
        try:
            return list(await asyncio.gather(*(loop.run_in_executor(self._executor, job) for job in jobs)))
        except BrokenExecutor as error:
            raise WorkerLost("a worker process was killed, perhaps for lack of memory: try again") from error


@asynccontextmanager
async def open_workers(entries: int, advance: Callable[[int], None]) -> AsyncIterator[Workers]:
    """`entries`: how many entries there are to read. `advance` is called with the number read since its last call."""
    spawn = multiprocessing.get_context("spawn")
    counter: Synchronized[int] = spawn.Value("q", 0)
    executor: Executor
    if entries <= FEW_ENTRIES or os.cpu_count() == 1:
        _share(counter)
        executor = ThreadPoolExecutor(max_workers=1)
    else:
        executor = ProcessPoolExecutor(os.cpu_count(), mp_context=spawn, initializer=_begin, initargs=(counter,))
    watching = asyncio.create_task(_watch(counter, advance))
    try:
        yield Workers(executor)
    finally:
        watching.cancel()
        _end(executor)
    advance(counter.value)


def _end(executor: Executor) -> None:
    """Ends the processes that are still running, for example after an error or Ctrl-C. They ignore SIGTERM."""
    if isinstance(executor, ProcessPoolExecutor):
        for process in list((executor._processes or {}).values()):  # noqa: SLF001 - public only from Python 3.14 on
            process.kill()
    executor.shutdown(wait=True, cancel_futures=True)


async def _watch(counter: "Synchronized[int]", advance: Callable[[int], None]) -> None:
    while True:
        await asyncio.sleep(POLL_SECONDS)
        with counter.get_lock():
            read, counter.value = counter.value, 0
        advance(read)


def _begin(counter: "Synchronized[int]") -> None:
    # Signals such as Ctrl-C often reach all processes of the group. The main process ends the others.
    for number in (signal.SIGINT, *ENDING_SIGNALS):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _share(counter)


def _end_with_parent() -> None:
    """Ends this process when the main process has ended without ending it, for example by SIGKILL. Without this it
    would wait for the next job forever, because it holds both ends of the queue.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _share(counter: "Synchronized[int]") -> None:
    global _read  # noqa: PLW0603 - a shared counter reaches a process only through its initializer
    _read = counter


def count_read(number: int) -> None:
    """Jobs call this with the number of entries that they have read since the last call."""
    if _read is not None:
        with _read.get_lock():
            _read.value += number
