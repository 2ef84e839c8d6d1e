"""One at a time: a file lock, which the system releases when its holder dies, however it dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daybook_infra.stack.interface import Say, StackError

BETWEEN_TRIES_SECONDS = 0.1


@contextmanager
def waiting_for(file: Path, say: Say, *, seconds: float = 300) -> Iterator[None]:
    """Held for short work; whoever comes second waits. Raises `StackError` after `seconds`."""
    with file.open("a") as held:
        if not _taken(held.fileno()):
            say(f"waiting for another daybook that holds {file}")
            deadline = time.monotonic() + seconds
            while not _taken(held.fileno()):
                if time.monotonic() > deadline:
                    raise StackError(f"another daybook has held {file} for {seconds:.0f} s: end it and try again")
                time.sleep(BETWEEN_TRIES_SECONDS)
        yield


@contextmanager
def only_one(file: Path, refusal: str) -> Iterator[None]:
    """Held for as long as a program runs; whoever comes second is refused. `{pid}` in `refusal` is the first one's."""
    with file.open("a+") as held:
        if not _taken(held.fileno()):
            held.seek(0)
            raise StackError(refusal.format(pid=held.read().strip() or "unknown"))
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield


def is_held(file: Path) -> bool:
    try:
        with file.open("r+") as probe:
            return not _taken(probe.fileno())
    except FileNotFoundError:
        return False


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
