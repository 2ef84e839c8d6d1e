"""The random values of a workload: ids, names, texts, JSON values, and ids of things that probably exist in an org."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from support.chain import Json

One = TypeVar("One")
NAMES = ("Ada", "Grace", "Zoë", "数据", "naïve 🦉", "Quarter 4", 'a "quoted" \\ name')
KEY_NAMES = ("Hotmart token", "client", "meta", "meta app", "données", "spare")
TEXTS = ("HTTP 503", "gave up after 3 tries", "  as it came\n", "não é válido 🦉", 'a "quoted" \\ text')
FEW_BITS = 8
"""Hypothesis draws numbers of up to this many bits evenly. If more bits are asked for, it prefers small numbers."""
VALUES: tuple[Any, ...] = (
    None,
    "not JSON at all: <xml/>",
    0,
    -1.5,
    1000.0,
    9007199254740991,
    False,
    [],
    {"event": "PURCHASE_APPROVED", "data": {"price": 12.5, "buyer": {"name": "Zoë"}, "items": [1, 2, {"x": None}]}},
    {"": "", "ключ": ["数据", True, 1e-7], "nested": {"nested": {"nested": {}}}},
)


def new_id(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


class EvenRandom(Random):
    """Draws evenly from hypothesis's source. Wide numbers are used for ids; they are counted up, so no two are equal.
    Hypothesis shrinks towards fractions near 1, for which `chance` is false, so that unlikely things do not happen.
    """

    def __init__(self, source: Random) -> None:
        super().__init__(0)
        self._source, self._ids = source, count(1)

    def random(self) -> float:
        return 1 - (1 + self.getrandbits(FEW_BITS)) / 2.0**FEW_BITS

    def getrandbits(self, bits: int, /) -> int:
        drawn = self._source.getrandbits(bits) if bits <= FEW_BITS else next(self._ids)
        return int(drawn)


@dataclass(frozen=True, slots=True)
class Draws:
    random: Random
    users: Sequence[str]

    def id(self) -> str:
        return new_id(self.random)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def one_of(self, values: Sequence[One]) -> One:
        return self.random.choice(values)

    def name(self) -> str:
        return self.one_of(NAMES)

    def key_name(self) -> str:
        return self.one_of(KEY_NAMES)

    def value(self) -> Any:
        return self.one_of(VALUES)

    def sometimes(self, share: float, **data: Any) -> Json:
        """The data, or nothing."""
        return data if self.chance(share) else {}

    def text(self) -> str:
        return self.one_of(TEXTS)

    def known(self, things: Json) -> str:
        """An existing id, usually an early one, so that a few things get many commands; else an unused one."""
        ids = list(things)
        if not ids or self.chance(0.03):
            return self.id()
        return self.one_of(ids[:2] if self.chance(0.7) else ids)

    def user(self, members: Json) -> str:
        """Usually one of the members."""
        return self.one_of(list(members) if members and self.chance(0.9) else self.users)
