"""What a user may send: a token bucket for each, in tokens for requests and started 4 KiB of their bodies.

The clock is passed in.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from daybook_command.http.problems import refuse
from daybook_contracts.codes import Code
from daybook_contracts.senders.principals import Principal, User

TOKEN_BYTES: Final = 4 * 1024
DETAIL: Final = "More than your rate allows; nothing was done. Send it again after Retry-After."
# About 20 MB. Whoever falls out, being the one unheard of for longest, starts again with a full bucket.
MOST_BUCKETS = 100_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Buckets:
    """`rate` tokens a second, at most `burst` saved up."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, who: str) -> float:
        """Takes a token and returns 0.0, or returns the seconds until the bucket, now empty, holds one."""
        return self.charge(who, 1)

    def charge(self, who: str, tokens: int, paid: int = 0) -> float:
        """Takes `tokens`, `paid` of them already taken, and returns 0.0. It may overdraw a bucket that is not empty.

        Of an empty one it takes nothing, gives `paid` back, and returns the seconds until it holds a token.
        """
        bucket = self._filled(who)
        bucket.tokens += paid
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._rate
        bucket.tokens -= tokens
        return 0.0

    def overdraw(self, who: str, tokens: int) -> None:
        """Takes more tokens of a request that is let in, whether they are there or not."""
        self._filled(who).tokens -= tokens

    def _filled(self, who: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(who)
        if bucket is None:
            bucket = self._buckets[who] = _Bucket(self._burst, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
            return bucket
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        self._buckets.move_to_end(who)
        return bucket


class UserRate:
    """Charges users before their bodies are parsed. Services are not limited."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets

    def enter(self, principal: Principal) -> None:
        """Takes the request's first token; raises Refused (429) where there is none."""
        if isinstance(principal, User):
            _refuse_unless_paid(self._buckets.take(str(principal)))

    def charge(self, principal: Principal, body: bytes) -> None:
        """Takes what a body costs beyond the first token; raises Refused (429) if others have emptied the bucket."""
        if isinstance(principal, User):
            _refuse_unless_paid(self._buckets.charge(str(principal), pieces(body), paid=1))

    def charge_items(self, principal: Principal, body: bytes, items: int) -> None:
        """A batch costs a token for each item at least; its body is paid for."""
        if isinstance(principal, User) and items > pieces(body):
            self._buckets.overdraw(str(principal), items - pieces(body))


def pieces(body: bytes) -> int:
    """The started 4 KiB of a body, one at least."""
    return max(1, -(-len(body) // TOKEN_BYTES))


def _refuse_unless_paid(seconds: float) -> None:
    if seconds:
        raise refuse(Code.TOO_MANY_REQUESTS, DETAIL, headers={"Retry-After": str(math.ceil(seconds))})
