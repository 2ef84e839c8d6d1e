"""Limits the memory of requests or answers in progress, in total and per principal."""

from collections.abc import Hashable
from typing import Final

from daybook_contracts.codes import Code
from daybook_infra.runtime.http.problems import refusal

# One principal gets at most one share, so it leaves room for at least three others.
SHARES: Final = 4


class ByteBudget:
    """`full` and `share_full`: the details of the refusals."""

    def __init__(self, max_bytes: int, *, full: str, share_full: str) -> None:
        self._max_bytes = self._free = max_bytes
        self._share = max_bytes // SHARES
        self._full = full
        self._share_full = share_full
        self._held: dict[Hashable, int] = {}  # by principal; only principals with reserved bytes

    @property
    def held(self) -> int:
        return self._max_bytes - self._free

    def take(self, principal: Hashable, size: int) -> None:
        """Raises RequestRefused (503) if the total or the principal's share is used up."""
        if size > self._free:
            raise refusal(Code.UNAVAILABLE, self._full)
        held = self._held.get(principal, 0) + size
        if held > self._share:
            raise refusal(Code.UNAVAILABLE, self._share_full)
        self._free -= size
        self._held[principal] = held

    def release(self, principal: Hashable, size: int) -> None:
        self._free += size
        left = self._held.get(principal, 0) - size
        if left > 0:
            self._held[principal] = left
        else:
            self._held.pop(principal, None)
