"""Runs the work of a long command, so that SIGTERM and SIGHUP end it as Ctrl-C does: it removes its temporary files and
ends its processes.
"""

import asyncio
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, TypeVar

import click

T = TypeVar("T")

ENDING_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T:
    """Raises `KeyboardInterrupt` when the work has cleaned up after one of the signals."""
    with _interrupted_by(*ENDING_SIGNALS):
        return asyncio.run(work)


def confirm(question: str, *, err: bool = False) -> bool:
    """Asks on the terminal. Raises `KeyboardInterrupt` on Ctrl-C, and `click.Abort` at the end of the input. Replaces
    asyncio's handler of Ctrl-C, because a question blocks the event loop, so nothing would notice that asyncio has
    cancelled the work.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return click.confirm(question, err=err)
    except click.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise abort.__context__ from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _interrupted_by(*numbers: signal.Signals) -> Iterator[None]:
    """Signals that are ignored, such as SIGHUP under nohup, stay ignored. After the first signal, further ones are
    ignored too: they would interrupt the cleaning up, and a terminal that closes may send two.
    """
    is_main = threading.current_thread() is threading.main_thread()  # no other thread can have signal handlers
    taken = [number for number in numbers if is_main and signal.getsignal(number) == signal.SIG_DFL]

    def interrupt(_number: int, frame: FrameType | None) -> None:
        for number in taken:
            signal.signal(number, signal.SIG_IGN)
        _do_as_ctrl_c(frame)

    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _do_as_ctrl_c(frame: FrameType | None) -> None:
    """Does what Ctrl-C would do now; if it is ignored, as in a shell's background jobs, what it does by default."""
    on_ctrl_c = signal.getsignal(signal.SIGINT)
    interrupt = on_ctrl_c if callable(on_ctrl_c) else signal.default_int_handler
    interrupt(signal.SIGINT, frame)
