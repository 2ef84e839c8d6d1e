"""Runs the `daybook` command line with a wrong clock: `python wrong_clock.py SECONDS ARGUMENT...`. Shifts only the time
of day, not the monotonic clock, so deadlines stay right.
"""

import sys
import time
from collections.abc import Sequence


def program(seconds: int) -> Sequence[str]:
    """The program to start instead of `daybook`."""
    return sys.executable, __file__, str(seconds)


def move(seconds: int) -> None:
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + seconds * 1_000_000_000


def run(seconds: str, arguments: Sequence[str]) -> None:
    move(int(seconds))
    # Imported after `move`, so that modules that import the clock's functions by name get the shifted ones.
    from daybook_infra.operations.cli import main  # noqa: PLC0415 - the comment above says why

    main(list(arguments))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
