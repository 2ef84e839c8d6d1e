"""Points at which a process kills itself, for crash tests (docs/fault-testing.md). Off unless DAYBOOK_FAILPOINT names
one, as `name` or, for the n-th time that it is passed, `name:n`. Not a setting: for tests only.
"""

import os
import signal
from itertools import count
from typing import Literal

Point = Literal[
    "before-append",  # decided, nothing written
    "after-append",  # in the log, but the shard does not know it yet
    "after-ack",  # the shard knows, but no sender is answered
    "after-answer",  # answered, but the offsets are not committed
    "before-rows",  # the checkpoint is moved, no row is written
    "after-rows",  # all rows are written, but not committed
    "after-commit",  # committed in PostgreSQL, while Kafka's offset is behind
    "amid-takeover",  # the checkpoint is read, but the log is not
    "rebuild-filled",  # the separate tables are filled, but have no keys yet
    "rebuild-compared",  # the differences are known, and nothing is locked
    "rebuild-locked",  # all partitions wait, but no row is corrected yet
    "rebuild-corrected",  # all rows are corrected, but not committed
    "restore-begun",  # a batch of a restored topic is written, but others may not be yet
    "restore-written",  # the topic is restored, but the checkpoints are not set
]

_NAME, _, _COUNT = os.environ.get("DAYBOOK_FAILPOINT", "").partition(":")
_AT = int(_COUNT or 1)
_passes = count(1)


def failpoint(point: Point) -> None:
    if _NAME and point == _NAME and next(_passes) == _AT:
        os.kill(os.getpid(), signal.SIGKILL)
