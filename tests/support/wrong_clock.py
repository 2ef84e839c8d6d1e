"""The `daybook` command line on a machine whose clock is off: `python wrong_clock.py SECONDS ARGUMENT...`.
Only the time of day is moved, as a clock that is set wrong would be; deadlines run on.
"""

import sys
import time
from collections.abc import Sequence


def program(seconds: int) -> Sequence[str]:
    """What is started in place of `daybook`."""
    return sys.executable, __file__, str(seconds)


def move(seconds: int) -> None:
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + seconds * 1_000_000_000


def run(seconds: str, arguments: Sequence[str]) -> None:
    move(int(seconds))
    # Only now: whoever takes the clock by its name at import has to get this one.
    from daybook_infra.operations.cli import main  # noqa: PLC0415 - as said above

    main(list(arguments))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
