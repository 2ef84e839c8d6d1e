"""Random commands for a simulated system, as records of the commands topic. They use a few orgs, and users who are
registered from the start. Some commands are sent twice, and a few ids are reused with other content.
"""

from itertools import count
from random import Random
from uuid import UUID

from daybook_command.shard.records import CommandRecord
from daybook_contracts.routing import partition_of
from support.publisher import Send
from support.simulation import command_record
from support.workload import Population, RandomCommands, with_repeats
from support.workload_hub import HUB_DATA
from support.workload_kinds import WEIGHTS

PARTITIONS = 2
PEOPLE = [str(UUID(int=0x10 + number, version=4)) for number in range(4)]


def _orgs_in(*partitions: int) -> list[str]:
    """An org in each of these partitions."""
    ids = (str(UUID(int=0x1000 + number, version=4)) for number in count())
    return [next(id_ for id_ in ids if partition_of(id_, PARTITIONS) == partition) for partition in partitions]


EVERYTHING = Population(_orgs_in(0, 1, 1), PEOPLE, choosing=0.9, long_ago=0)
HUB = Population(
    _orgs_in(0, 1),
    PEOPLE[:1],
    weights={kind: weight for kind, weight in WEIGHTS.items() if kind in HUB_DATA} | {"RECORD_DLQ_EVENT": 50},
    choosing=0.9,
    long_ago=0,
)


def records(seed: int, count: int, population: Population = EVERYTHING) -> list[CommandRecord]:
    random = Random(seed)
    made = RandomCommands(random, population)
    made.model.world.users.update(population.users)
    sends = with_repeats(random, [made.next() for _ in range(count * 5 // 6)], 0.2)
    for at in range(1, len(sends)):
        if random.random() < 0.02:
            again = random.choice(sends[:at]).command["id"]
            sends[at] = Send(sends[at].principal, {**sends[at].command, "id": again})
    return [command_record(offset, send.command, send.principal) for offset, send in enumerate(sends)]
