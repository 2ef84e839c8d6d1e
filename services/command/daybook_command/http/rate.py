"""A token bucket for each sender: a name in, seconds to wait out. The clock is passed in."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

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
        bucket = self._filled(who)
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._rate
        bucket.tokens -= 1
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
