"""File locks that one process holds at a time. The system releases them when the holder ends, even if it was killed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from daybook_infra.stack.interface import Say, StackError


@contextmanager
def lock_or_wait(file: Path, say: Say, *, seconds: float = 300) -> Iterator[None]:
    """Holds the lock of a short operation. Raises `StackError` if another process keeps the lock for longer than
    `seconds`.
    """
    lock = FileLock(file)
    if not _try_to_acquire(lock):
        say(f"waiting for another daybook process that holds {file}")
        if not _try_to_acquire(lock, seconds):
            raise StackError(f"another daybook process has held {file} for {seconds:.0f} s: end it and try again")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def lock_or_refuse(file: Path, refusal: str) -> Iterator[None]:
    """Holds the lock of a program that keeps it as long as it runs. Raises `StackError` with `refusal` if another
    process holds the lock. `{pid}` in `refusal` stands for the holder's pid.
    """
    lock = FileLock(file, on_acquired=_write_pid)
    if not _try_to_acquire(lock):
        raise StackError(refusal.format(pid=file.read_text(encoding="utf-8") or "unknown"))
    try:
        yield
    finally:
        lock.release()


def is_held(file: Path) -> bool:
    if not file.exists():
        return False
    lock = FileLock(file)
    free = _try_to_acquire(lock)
    lock.release()
    return not free


def _try_to_acquire(lock: FileLock, seconds: float = 0) -> bool:
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        return False
    return True


def _write_pid(descriptor: int) -> None:
    os.truncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
