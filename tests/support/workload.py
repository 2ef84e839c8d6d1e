"""Seeded random commands over many orgs: mostly sensible, some refused, some sent twice. The generator plays its own
commands through a model as it goes, so that later ones name things that are likely to be there.
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
CODES = {
    "FORBIDDEN",
    "ORG_NOT_FOUND",
    "USER_NOT_FOUND",
    "MEMBER_NOT_FOUND",
    "PROJECT_NOT_FOUND",
    "CONNECTION_NOT_FOUND",
    "SYNC_RUN_NOT_FOUND",
    "DLQ_EVENT_NOT_FOUND",
    "ALERT_NOT_FOUND",
    "SECRET_REF_NOT_FOUND",
    "ALREADY_EXISTS",
    "ALREADY_MEMBER",
    "LAST_OWNER",
    "CONNECTION_INACTIVE",
    "SYNC_ALREADY_RUNNING",
    "SYNC_NOT_RUNNING",
    "DLQ_EVENT_RESOLVED",
    "SECRET_REF_IN_USE",
    "INVALID_CONFIG",
}
"""All refusals that stand in a log, but for LIMIT_REACHED."""
REPEATED_WITHIN = 60
"""How far behind its first sending a command's second one stands."""
LONG_AGO = 1000
"""What was sent so many commands before has been answered."""
ELSEWHERE = "00000000-0000-4000-8000-0000000000ff"
"""An org that no command is about."""


def user_in(partition: int, partitions: int) -> str:
    """A new user whose registration is decided in this partition."""
    users = (str(uuid4()) for _ in count())
    return next(user for user in users if partition_of(user, partitions) == partition)


def registration(user_id: str, command_id: str) -> Send:
    data = {"user_id": user_id}
    command = {"id": command_id, "type": "REGISTER_USER", "org_id": None, "actor_user_id": None, "data": data}
    return Send(SERVICE, command)


def command(kind: str, org_id: str | None, actor: str | None, command_id: str, **data: Any) -> Json:
    return {"id": command_id, "type": kind, "org_id": org_id, "actor_user_id": actor, "data": data}


def by_user(kind: str, org_id: str, actor: str, command_id: str, **data: Any) -> Send:
    return Send(f"user:{actor}", command(kind, org_id, actor, command_id, **data))


def timeout(org_id: str, run_id: str) -> Send:
    """The command that nobody sends: Daybook itself ends a run that takes too long, once."""
    data = {"sync_run_id": run_id, "error_message": "TIMED_OUT"}
    return Send(TIMEKEEPER, command("FAIL_SYNC", org_id, None, str(uuid5(UUID(run_id), "sync_stalled")), **data))


@dataclass(frozen=True, slots=True)
class Population:
    """Who and what random commands are about. `busy`: how often each org comes; `weights`: how often each type, of
    WEIGHTS, `REGISTER_USER`, `CREATE_ORG` and `TIME_OUT`. `choosing`: how often a service chooses the id of what it
    makes. `taken`: ids that an org elsewhere has chosen. `long_ago`: how many commands before another org must have
    been the first to choose an id that is chosen again, so that it is certain which of the two was the first.
    """

    orgs: Sequence[str]
    users: Sequence[str]
    busy: Sequence[int] | None = None
    weights: Mapping[str, int] = field(default_factory=lambda: WEIGHTS)
    choosing: float = 0.5
    taken: Sequence[str] = ()
    long_ago: int = LONG_AGO


class RandomCommands:
    """One command after another. A model plays them, so that later ones name things that are likely to be there;
    `entries` are what it makes of them.
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
        """So many, after all users have been registered."""
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
        """The command, or one that makes what it needs."""
        while (things := lacking(org, kind)) is not None and self._draws.chance(0.85):
            kind = MAKES[things]
        return kind

    def _actor(self, kind: str, org: Json, data: Json) -> tuple[str | None, str]:
        """A leader mostly; else somebody of a project, any member, the one who is touched, any user; a service for a
        user or for itself.
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
        """A new id; or one of the same kind that the org chose before, whether that is still there or not; or one that
        another org was the first to choose, long ago.
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
    """`registrations` come first and must be projected; then `sends`, in this order or near it. One org is flooded with
    so many dead letters of one connection.
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
    """So many of them come a second time, soon after."""
    places = [(float(at), send) for at, send in enumerate(sends)]
    again = random.sample(places, int(len(places) * share))
    places += [(at + random.random() * REPEATED_WITHIN, send) for at, send in again]
    return [send for _, send in sorted(places, key=lambda place: place[0])]
