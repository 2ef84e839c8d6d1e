"""Turns by key: calls that have a key in common take their turns in the order in which they joined."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    keys: frozenset[str]
    _is_first: asyncio.Event = field(default_factory=asyncio.Event)

    async def has_come(self, seconds: float) -> bool:
        """Waits up to `seconds` until all earlier turns that share a key have left. Returns whether they have."""
        if not self._is_first.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_first.wait(), seconds)
        return self._is_first.is_set()

    def begin(self) -> None:
        self._is_first.set()


class KeyTurns:
    def __init__(self) -> None:
        self._lines: defaultdict[str, deque[Turn]] = defaultdict(deque)

    def join(self, keys: Iterable[str]) -> Turn:
        """Each turn must leave in the end, whether it has come or not."""
        turn = Turn(frozenset(keys))
        for key in turn.keys:
            self._lines[key].append(turn)
        self._begin_if_first(turn)
        return turn

    def leave(self, turn: Turn) -> None:
        for key in turn.keys:
            line = self._lines[key]
            line.remove(turn)
            if not line:
                del self._lines[key]
        for following in {self._lines[key][0] for key in turn.keys & self._lines.keys()}:
            self._begin_if_first(following)

    def _begin_if_first(self, turn: Turn) -> None:
        if all(self._lines[key][0] is turn for key in turn.keys):
            turn.begin()
