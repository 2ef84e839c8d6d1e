"""How a connection's pending dead letters are worked off by bulk commands: how many there are by retry count in, one
filter after the other out. No I/O; what the commands did comes from their entries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never
from uuid import UUID

from daybook_contracts.limits import BULK_IDS


@dataclass(frozen=True, slots=True)
class Retry:
    """Each pending dead letter until it has been retried more than `max_retry_count` times."""

    max_retry_count: int


@dataclass(frozen=True, slots=True)
class Resolve:
    """Each pending dead letter that has been retried at most so often; None: however often."""

    max_retry_count: int | None
    resolution: str
    reason: str | None


Work = Retry | Resolve


@dataclass(frozen=True, slots=True)
class Pass:
    """One filter, sent until it leaves nothing. `matching`: how many it will touch, as far as is known at the start."""

    max_retry_count: int | None
    matching: int

    @property
    def commands(self) -> int:
        """At most so many. The one more is for what arrives meanwhile; a source that never rests cannot hold us up."""
        return -(-self.matching // BULK_IDS) + 1


def passes(work: Work, pending: Mapping[int, int]) -> tuple[Pass, ...]:
    """`pending`: number of matching dead letters by retry count. A pass that nothing would match is left out.

    A retried dead letter stays pending, and only its retry count says so. So retries go up in levels: those never
    retried, then those retried at most once, and so on. Whatever was done before an interruption is not done again.
    """
    match work:
        case Retry(most):
            levels = range(min(pending, default=most + 1), most + 1)
            return tuple(
                Pass(level, sum(number for count, number in pending.items() if count <= level)) for level in levels
            )
        case Resolve(most, _, _):
            return (Pass(most, sum(pending.values())),) if pending else ()
        case _ as never:
            assert_never(never)


@dataclass(slots=True)
class Sweep:
    """Where the work stands: how many were touched, and which command comes next."""

    passes: Sequence[Pass]
    done: int = 0
    _at: int = 0
    _sent: int = 0

    @property
    def current(self) -> Pass | None:
        """What to send next; None at the end."""
        return self.passes[self._at] if self._at < len(self.passes) else None

    @property
    def total(self) -> int:
        return sum(each.matching for each in self.passes)

    def took(self, touched: int, remaining: int) -> None:
        """One command of the current pass was carried out; `remaining`: how many its filter left untouched."""
        self.done += touched
        self._sent += 1
        if remaining == 0 or touched == 0 or self._sent >= self.passes[self._at].commands:
            self._at, self._sent = self._at + 1, 0


def type_of(work: Work) -> str:
    match work:
        case Retry():
            return "RETRY_DLQ_EVENTS"
        case Resolve():
            return "RESOLVE_DLQ_EVENTS"
        case _ as never:
            assert_never(never)


def data_of(work: Work, connection_id: UUID, current: Pass) -> dict[str, Any]:
    """The `data` of one command."""
    most = {} if current.max_retry_count is None else {"max_retry_count": current.max_retry_count}
    chosen = {"connection_id": str(connection_id), "filter": most}
    match work:
        case Retry():
            return chosen
        case Resolve(_, resolution, reason):
            return chosen | {"resolution": resolution} | ({} if reason is None else {"reason": reason})
        case _ as never:
            assert_never(never)
