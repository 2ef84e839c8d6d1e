"""Plans bulk commands over a connection's pending dead letters: their number for each retry count in,
one filter after another out. No I/O.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never
from uuid import UUID

from daybook_contracts.limits import BULK_IDS


@dataclass(frozen=True, slots=True)
class Retry:
    """Retry each pending dead letter until its retry count exceeds `max_retry_count`."""

    max_retry_count: int


@dataclass(frozen=True, slots=True)
class Resolve:
    """Resolve each pending dead letter with a retry count of at most `max_retry_count`; None: with any count."""

    max_retry_count: int | None
    resolution: str
    reason: str | None


BulkAction = Retry | Resolve


@dataclass(frozen=True, slots=True)
class Pass:
    """One filter, sent until nothing matches it. `matching`: how many dead letters matched at the start."""

    max_retry_count: int | None
    matching: int

    @property
    def commands(self) -> int:
        """The maximum number of commands to send: one more than needed, for dead letters that arrive meanwhile. With
        this limit, the pass ends even if dead letters keep arriving.
        """
        return -(-self.matching // BULK_IDS) + 1


def plan_passes(action: BulkAction, pending: Mapping[int, int]) -> tuple[Pass, ...]:
    """`pending`: the number of dead letters by retry count. Passes without a match are omitted.

    A retried dead letter stays pending; only its retry count changes. Retries therefore go up level by level: first
    those never retried, then those retried at most once, and so on. After an interruption, a new plan continues where
    the old one stopped.
    """
    match action:
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
class Progress:
    """Progress over the passes: how many dead letters were touched, and which command comes next."""

    passes: Sequence[Pass]
    done: int = 0
    _at: int = 0
    _sent: int = 0

    @property
    def current(self) -> Pass | None:
        """The pass of the next command; None at the end."""
        return self.passes[self._at] if self._at < len(self.passes) else None

    @property
    def total(self) -> int:
        return sum(each.matching for each in self.passes)

    def record(self, touched: int, remaining: int) -> None:
        """Record one executed command of the current pass. `remaining`: how many dead letters still match."""
        self.done += touched
        self._sent += 1
        if remaining == 0 or touched == 0 or self._sent >= self.passes[self._at].commands:
            self._at, self._sent = self._at + 1, 0


def command_type(action: BulkAction) -> str:
    match action:
        case Retry():
            return "RETRY_DLQ_EVENTS"
        case Resolve():
            return "RESOLVE_DLQ_EVENTS"
        case _ as never:
            assert_never(never)


def command_data(action: BulkAction, connection_id: UUID, current: Pass) -> dict[str, Any]:
    """The `data` of one command."""
    most = {} if current.max_retry_count is None else {"max_retry_count": current.max_retry_count}
    chosen = {"connection_id": str(connection_id), "filter": most}
    match action:
        case Retry():
            return chosen
        case Resolve(_, resolution, reason):
            return chosen | {"resolution": resolution} | ({} if reason is None else {"reason": reason})
        case _ as never:
            assert_never(never)
