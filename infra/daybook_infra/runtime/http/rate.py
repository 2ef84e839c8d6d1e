"""Rate limits: a token bucket for each user. A request costs one token for every 4 KiB of its body, rounded up."""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from daybook_contracts.codes import Code
from daybook_contracts.senders.principals import Principal, User
from daybook_infra.runtime.http.problems import refusal

BYTES_PER_TOKEN: Final = 4 * 1024
DETAIL: Final = "Your rate limit is reached; nothing was done. Send the request again after Retry-After."
# This many buckets take about 20 MB. Beyond this, the bucket of the least recently active user is dropped; when that
# user sends again, it gets a full bucket.
MAX_BUCKETS: Final = 100_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    updated_at: float


class Buckets:
    """Each bucket gains `rate` tokens per second and holds at most `burst`. `clock` is monotonic, in seconds."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: LRUCache[Hashable, _Bucket] = LRUCache(MAX_BUCKETS)

    def take(self, who: Hashable) -> float:
        """Take one token and return 0.0. If there is none, return the seconds until there is one."""
        return self.charge(who, 1)

    def charge(self, who: Hashable, tokens: int, paid: int = 0) -> float:
        """Take `tokens`, of which `paid` were taken before, and return 0.0. If the bucket is not empty, this may take
        more than it has.

        If the bucket is empty, take nothing, give `paid` back, and return the seconds until the bucket has a token.
        """
        bucket = self._filled(who)
        bucket.tokens += paid
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._rate
        bucket.tokens -= tokens
        return 0.0

    def overdraw(self, who: Hashable, tokens: int) -> None:
        """Take further tokens for an accepted request, even if the bucket is empty."""
        self._filled(who).tokens -= tokens

    def _filled(self, who: Hashable) -> _Bucket:
        now = self._clock()
        try:
            bucket = self._buckets[who]
        except KeyError:
            bucket = self._buckets[who] = _Bucket(self._burst, now)
            return bucket
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.updated_at) * self._rate)
        bucket.updated_at = now
        return bucket


class UserRate:
    """Charges users before their bodies are parsed. Services have no rate limit."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets

    def charge_request(self, principal: Principal) -> None:
        """Charge the request's first token. Raises RequestRefused (429) if there is none."""
        if isinstance(principal, User):
            _refuse_until(self._buckets.take(principal))

    def charge_body(self, principal: Principal, body: bytes) -> None:
        """Charge the body's other tokens. Raises RequestRefused (429) if other requests emptied the bucket."""
        if isinstance(principal, User):
            _refuse_until(self._buckets.charge(principal, body_tokens(body), paid=1))

    def charge_items(self, principal: Principal, body: bytes, items: int) -> None:
        """Charge further tokens, so that a batch costs at least one token per item. Its body is charged already."""
        if isinstance(principal, User) and items > body_tokens(body):
            self._buckets.overdraw(principal, items - body_tokens(body))


def body_tokens(body: bytes) -> int:
    """How many tokens a body costs: one for every 4 KiB, rounded up, and at least one."""
    return max(1, -(-len(body) // BYTES_PER_TOKEN))


def _refuse_until(seconds: float) -> None:
    if seconds:
        raise refusal(Code.TOO_MANY_REQUESTS, DETAIL, headers={"Retry-After": str(math.ceil(seconds))})
