"""The generator of random commands, and a seeded workload for running systems. Most commands are accepted, some are
rejected, some are sent twice. The generator takes a seeded `Random`, or hypothesis's (support.histories).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any
from uuid import UUID, uuid4, uuid5

from support.chain import Json, partition_of
from support.draws import Draws, new_id
from support.model import Model
from support.publisher import Send
from support.workload_flood import flood
from support.workload_kinds import DATA, MAKES, SERVED, WEIGHTS, lacking
from support.world import CREATED, TIMEKEEPER

SERVICE = "service:loader"
REPEATED_WITHIN = 60
"""The second sending of a command comes at most this many commands after the first."""
LONG_AGO = 1000
"""When this many more commands have been sent, a command has certainly been answered."""
ELSEWHERE = "00000000-0000-4000-8000-0000000000ff"
"""An org that no command names."""


def user_in(partition: int, partitions: int) -> str:
    """A new user whose registration is decided in this partition."""
    users = (str(uuid4()) for _ in count())
    return next(user for user in users if partition_of(user, partitions) == partition)


def registration_in(partition: int, partitions: int) -> Send:
    """The registration of a new user, decided in this partition."""
    return registration(user_in(partition, partitions), str(uuid4()))


def registration(user_id: str, command_id: str) -> Send:
    data = {"user_id": user_id}
    command = {"id": command_id, "type": "REGISTER_USER", "org_id": None, "actor_user_id": None, "data": data}
    return Send(SERVICE, command)


def command(kind: str, org_id: str | None, actor: str | None, command_id: str, **data: Any) -> Json:
    return {"id": command_id, "type": kind, "org_id": org_id, "actor_user_id": actor, "data": data}


def by_user(kind: str, org_id: str, actor: str, command_id: str, **data: Any) -> Send:
    return Send(f"user:{actor}", command(kind, org_id, actor, command_id, **data))


def timeout(org_id: str, run_id: str) -> Send:
    """The command with which Daybook itself ends a run that takes too long."""
    data = {"sync_run_id": run_id, "error_message": "TIMED_OUT"}
    return Send(TIMEKEEPER, command("FAIL_SYNC", org_id, None, str(uuid5(UUID(run_id), "sync_stalled")), **data))


@dataclass(frozen=True, slots=True)
class Population:
    """The orgs and users that random commands name, and how often each command type is drawn.

    `busy`: a weight for each org. `weights`: weights of the types in WEIGHTS, and perhaps of `REGISTER_USER`,
    `CREATE_ORG` and `TIME_OUT`. `choosing`: the share of a service's creations in which it chooses the id. `taken`:
    ids that the org ELSEWHERE has chosen. `long_ago`: an org may choose an id of another org only this many commands
    later, when it is certain that the other org was first.
    """

    orgs: Sequence[str]
    users: Sequence[str]
    busy: Sequence[int] | None = None
    weights: Mapping[str, int] = field(default_factory=lambda: WEIGHTS)
    choosing: float = 0.5
    taken: Sequence[str] = ()
    long_ago: int = LONG_AGO


class RandomCommands:
    """Generates one command after another. A model decides each command, so that later commands name things that
    probably exist. `entries` are the model's entries.
    """

    def __init__(self, random: Random, population: Population) -> None:
        self.model, self.entries = Model(), list[Json]()
        self._random, self._population = random, population
        self._draws = Draws(random, population.users)
        self._kinds, self._weights = list(population.weights), list(population.weights.values())
        self._made = 0
        self._chosen = [(-population.long_ago, kind, ELSEWHERE, id_) for id_ in population.taken for kind in CREATED]
        self.model.world.reserved |= dict.fromkeys(population.taken, ELSEWHERE)

    def play(self, send: Send) -> Send:
        self._made += 1
        self.entries += self.model.decide(send.principal, send.command)
        return send

    def registration(self, user_id: str) -> Send:
        return self.play(registration(user_id, self._draws.id()))

    def some(self, count: int) -> list[Send]:
        """The registrations of all users, then `count` random commands."""
        return [*map(self.registration, self._population.users), *(self.next() for _ in range(count))]

    def creation(self, org_id: str) -> Send:
        creator = self._draws.one_of(self._draws.users) if self._draws.chance(0.98) else self._draws.id()
        return self.play(by_user("CREATE_ORG", org_id, creator, self._draws.id(), name=self._draws.name()))

    def next(self) -> Send:
        org_id = self._random.choices(self._population.orgs, self._population.busy)[0]
        org = self.model.world.orgs.get(org_id)
        if org is None or self._draws.chance(0.01):
            return self.creation(org_id)
        kind = self._feasible(org, self._random.choices(self._kinds, self._weights)[0])
        match kind:
            case "REGISTER_USER":
                return self.registration(self._draws.one_of(self._draws.users))
            case "CREATE_ORG":
                return self.creation(org_id)
            case "TIME_OUT":
                return self.play(timeout(org_id, self._draws.known(org["runs"])))
            case _:
                return self._on(org_id, org, kind)

    def _on(self, org_id: str, org: Json, kind: str) -> Send:
        data = DATA[kind](self._draws, org)
        actor, principal = self._actor(kind, org, data)
        target = self._draws.id() if self._draws.chance(0.01) else org_id
        chosen = self._population.choosing if principal == SERVICE else 0.03
        if kind in CREATED and target == org_id and self._draws.chance(chosen):
            data[CREATED[kind][1]] = self._chosen_id(kind, org_id, principal)
        return self.play(Send(principal, command(kind, target, actor, self._draws.id(), **data)))

    def _feasible(self, org: Json, kind: str) -> str:
        """The type `kind`, or a type that creates a thing that `kind` needs and the org lacks."""
        while (things := lacking(org, kind)) is not None and self._draws.chance(0.85):
            kind = MAKES[things]
        return kind

    def _actor(self, kind: str, org: Json, data: Json) -> tuple[str | None, str]:
        """The actor and the principal. The actor is usually an owner or admin; else a project member, any member, the
        user whom the command changes, or any user. The principal is the actor, or a service with or without an actor.
        """
        members = org["members"]
        leaders = [user for user, role in members.items() if role in {"owner", "admin"}]
        in_projects = [user for project in org["projects"].values() for user in project["members"]] or leaders
        groups = [leaders, in_projects, list(members), [data.get("user_id") or leaders[0]], self._draws.users]
        actor = self._draws.one_of(self._random.choices(groups, [64, 10, 12, 6, 8])[0])
        if self._draws.chance(0.3 if kind in SERVED else 0.02):
            return None, SERVICE
        return actor, SERVICE if self._draws.chance(0.35 if kind in CREATED else 0.1) else f"user:{actor}"

    def _chosen_id(self, kind: str, org_id: str, principal: str) -> str:
        """A new id; or an id that the org has already chosen for this type, even if its thing is deleted; or an id that
        another org chose long ago.
        """
        now, long_ago = self._made, self._population.long_ago
        own = [id_ for _, made, org, id_ in self._chosen if (made, org) == (kind, org_id)]
        present = self.model.world.orgs[org_id][CREATED[kind][0]]
        gone = [id_ for id_ in own if id_ not in present]
        others = [id_ for at, _, org, id_ in self._chosen if org != org_id and at < now - long_ago]
        draw = self._random.random()
        if own and draw < 0.35:
            return self._draws.one_of(gone if gone and draw < 0.25 else own)
        if others and draw > 0.95:
            return self._draws.one_of(others)
        fresh = self._draws.id()
        if principal == SERVICE:
            self._chosen.append((now, kind, org_id, fresh))
        return fresh


class Workload:
    """Random commands for a running system. Tests send `registrations` first and wait until they are projected; then
    they send `sends`, roughly in this order. `flooded` adds an org with a connection that gets that many dead letters.
    """

    def __init__(
        self, seed: int, *, orgs: int, users: int, commands: int, repeated: float = 0.2, flooded: int = 0
    ) -> None:
        random = Random(seed)
        people, tenants = ([new_id(random) for _ in range(count)] for count in (users, orgs))
        busy = [5 if at % 10 == 0 else 1 for at in range(orgs)]
        made = RandomCommands(random, Population(tenants, people, busy))
        self.entries = made.entries
        self.registrations = [made.registration(user) for user in people]
        self.distinct = [made.creation(org) for org in tenants]
        planned = flood(Draws(random, people), flooded) if flooded else {}
        self.distinct += [made.play(planned[at]) if at in planned else made.next() for at in range(commands - orgs)]
        self.sends = with_repeats(random, self.distinct, repeated)


def with_repeats(random: Random, sends: Sequence[Send], share: float) -> list[Send]:
    """Adds a second sending, soon after the first, of a share of the commands."""
    places = [(float(at), send) for at, send in enumerate(sends)]
    again = random.sample(places, int(len(places) * share))
    places += [(at + random.random() * REPEATED_WITHIN, send) for at, send in again]
    return [send for _, send in sorted(places, key=lambda place: place[0])]
