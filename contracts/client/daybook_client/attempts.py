"""Decides when to send commands again: the last answers and the time in, the pause before the next attempt out.

No I/O and no clock: callers pass the time.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from daybook_client.errors import CredentialsRefused
from daybook_client.outcomes import Accepted, Rejected

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
SHORTEST_ATTEMPT_SECONDS = 0.1  # with less time than this before the deadline, no further attempt is made


@dataclass(frozen=True, slots=True)
class Again:
    """The attempt gave no outcome. `after_seconds`: how long Daybook asked to wait; None if it did not."""

    reason: str
    after_seconds: float | None = None


Verdict = Accepted | Rejected | Again | CredentialsRefused
"""`CredentialsRefused` is a verdict, not raised at once, so that the verdicts of commands before it are not lost."""


@dataclass(slots=True)
class Attempts:
    """The attempts of one command or batch, until `ends_at`."""

    ends_at: float
    attempt_seconds: float
    draw: Callable[[], float] = random.random
    _made: int = field(default=0, init=False)

    def seconds(self, now: float) -> float:
        """How long the next attempt may take."""
        return max(0.0, min(self.attempt_seconds, self.ends_at - now))

    def pause(self, unanswered: Sequence[Again], now: float) -> float | None:
        """Seconds until the next attempt; None if the deadline is too near. Pauses double from attempt to attempt. A
        random part of up to half is taken off each, so that many clients do not return at the same moment.
        """
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._made, 16))
        self._made += 1
        asked = max((each.after_seconds or 0.0 for each in unanswered), default=0.0)
        pause = max(longest * (1 - self.draw() / 2), asked)
        return pause if now + pause + SHORTEST_ATTEMPT_SECONDS <= self.ends_at else None
