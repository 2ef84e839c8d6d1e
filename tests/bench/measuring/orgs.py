"""What the speed benchmarks send: the commands that found many orgs, and then mixed commands on them, some of which are
rejected. The same seed gives the same commands, whatever is measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random

from daybook_contracts.entries.fields import Role
from support.draws import new_id
from support.publisher import Send
from support.workload import SERVICE, Population, RandomCommands, by_user, command, registration

ORGS, MEMBERS, CONNECTIONS = 1_000, 20, 5
FOUNDING = 1 + (MEMBERS - 1) + 1 + CONNECTIONS
"""How many commands it takes to found an org. They must be decided in order."""
USERS_PER_ORG = 2
"""How many users are registered for each org. Neighbouring orgs share the rest of their members."""
ROLES: tuple[Role, ...] = ("admin", "member", "viewer")
CHOOSING = 0.1
"""The share of creations in which a service chooses the id."""
CONFIG = {"rate": 0.25, "window": [1.5, 60], "region": "eu", "retry": {"factor": 1.75, "most": 5}}


@dataclass(frozen=True, slots=True)
class Orgs:
    """`registrations` must be projected before `founding` is sent, and `founding` decided before `mixed`."""

    org_ids: Sequence[str]
    registrations: Sequence[Send]
    founding: Sequence[Send]
    commands: RandomCommands

    def mixed(self, count: int) -> list[Send]:
        """The next `count` commands. They fit the state of the orgs after all earlier commands."""
        return [self.commands.next() for _ in range(count)]


def plan_orgs(count: int = ORGS, seed: int = 1) -> Orgs:
    random = Random(seed)
    users = [new_id(random) for _ in range(max(MEMBERS, USERS_PER_ORG * count))]
    org_ids = [new_id(random) for _ in range(count)]
    made = RandomCommands(random, Population(org_ids, users, choosing=CHOOSING))
    registrations = [made.play(registration(user, new_id(random))) for user in users]
    founding = [
        made.play(send) for number, org_id in enumerate(org_ids) for send in _founding(random, org_id, users, number)
    ]
    return Orgs(org_ids, registrations, founding, made)


def _founding(random: Random, org_id: str, users: Sequence[str], number: int) -> Iterator[Send]:
    owner, *members = (users[(USERS_PER_ORG * number + at) % len(users)] for at in range(MEMBERS))
    yield by_user("CREATE_ORG", org_id, owner, new_id(random), name="Harbour Books")
    for at, user_id in enumerate(members):
        role = ROLES[at % len(ROLES)]
        yield by_user("ADD_MEMBER", org_id, owner, new_id(random), user_id=user_id, role=role)
    project_id = new_id(random)
    yield _by_service("CREATE_PROJECT", org_id, owner, random, project_id=project_id, name="Storefront")
    for at in range(CONNECTIONS):
        made = {"project_id": project_id, "connection_id": new_id(random), "type": "crm", "name": f"Shop {at}"}
        yield _by_service("CREATE_CONNECTION", org_id, owner, random, **made, config=CONFIG)


def _by_service(kind: str, org_id: str, actor: str, random: Random, **data: object) -> Send:
    return Send(SERVICE, command(kind, org_id, actor, new_id(random), **data))


def batches(sends: Sequence[Send], size: int) -> Iterator[list[Send]]:
    waiting = iter(sends)
    while batch := list(islice(waiting, size)):
        yield batch


def batch_body(sends: Sequence[Send]) -> bytes:
    return b"[" + b",".join(send.body for send in sends) + b"]"


def with_principals(sends: Sequence[Send]) -> list[tuple[str, bytes]]:
    """What the library `eventsourcing` takes: principals and commands as JSON."""
    return [(send.principal, send.body) for send in sends]
