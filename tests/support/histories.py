"""Hypothesis strategies for random histories of commands, and for logs of their decisions. They use the generator of
random commands, with hypothesis as its source of randomness.
"""

from hypothesis import strategies as st

from support.deciding import log_of
from support.draws import EvenRandom
from support.given import ANN, BOB, CAT, DAN, ORG, connection, dead_letter, project
from support.logbook import org, user
from support.publisher import Send
from support.workload import Population, RandomCommands
from support.workload_kinds import WEIGHTS


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
"""Commands use the same few ids again and again, even after the things with these ids are deleted."""
logs = histories(TWO_ORGS, 10, 80).map(log_of)
"""Logs of one partition."""
