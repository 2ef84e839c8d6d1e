"""Random histories and logs for hypothesis: the generator of random commands, on hypothesis's own randomness."""

from itertools import count
from random import Random

from hypothesis import strategies as st

from support.deciding import written
from support.given import ANN, BOB, CAT, DAN, ORG, connection, dead_letter, project
from support.logbook import org, user
from support.publisher import Send
from support.workload import Population, RandomCommands
from support.workload_kinds import WEIGHTS

FEW_BITS = 8
"""Of numbers that are as likely as one another: of wider ones hypothesis prefers the small."""


class EvenRandom(Random):
    """Hypothesis's source for what has to be drawn evenly. Wide numbers become ids: these are counted, so no two are
    equal. It shrinks towards high fractions, where nothing unlikely happens.
    """

    def __init__(self, source: Random) -> None:
        super().__init__(0)
        self._source, self._ids = source, count(1)

    def random(self) -> float:
        return 1 - (1 + self.getrandbits(FEW_BITS)) / 2.0**FEW_BITS

    def getrandbits(self, bits: int, /) -> int:
        drawn = self._source.getrandbits(bits) if bits <= FEW_BITS else next(self._ids)
        return int(drawn)


@st.composite
def histories(draw: st.DrawFn, population: Population, least: int = 20, most: int = 50) -> list[Send]:
    source = EvenRandom(draw(st.randoms(use_true_random=False)))
    return RandomCommands(source, population).some(draw(st.integers(least, most)))


ONE_ORG = Population(
    [ORG],
    [ANN, BOB, CAT, DAN],
    weights=WEIGHTS | {"REGISTER_USER": 4, "CREATE_ORG": 4, "TIME_OUT": 4},
    taken=[project(2), connection(2), dead_letter(2)],
    long_ago=0,
)
TWO_ORGS = Population([org(1), org(2)], [user(1), user(2), user(3)], choosing=0.9, long_ago=0)
"""Few ids, used again and again, also after what bore them is gone."""
logs = histories(TWO_ORGS, 10, 80).map(written)
"""Of one partition."""
