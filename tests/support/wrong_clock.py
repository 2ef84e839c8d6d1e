"""The `daybook` command line on a machine with a wrong clock: `python wrong_clock.py SECONDS ARGUMENT...`.
Only the time of day is shifted; deadlines are unaffected.
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
    # Import only now, so that modules which import the clock by name get this one.
    from daybook_infra.operations.cli import main  # noqa: PLC0415 - as said above

    main(list(arguments))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
