"""Seeded random commands over many orgs: mostly sensible, some refused, some sent twice. The generator plays its own
commands through a model as it goes, so that later ones name things that are likely to be there.
"""

from itertools import count
from random import Random
from typing import Any
from uuid import uuid4

from support.chain import Json, partition_of
from support.draws import Draws, new_id
from support.model import Model
from support.publisher import Send
from support.workload_flood import flood
from support.workload_hub import HUB_DATA
from support.workload_members import MEMBERSHIP_DATA
from support.world import CREATED

DATA = MEMBERSHIP_DATA | HUB_DATA
WEIGHTS = {
    "RENAME_ORG": 4,
    "ADD_MEMBER": 14,
    "UPDATE_MEMBER": 9,
    "REMOVE_MEMBER": 5,
    "CREATE_PROJECT": 5,
    "RENAME_PROJECT": 4,
    "ADD_PROJECT_MEMBER": 11,
    "UPDATE_PROJECT_MEMBER": 6,
    "REMOVE_PROJECT_MEMBER": 4,
    "CREATE_CONNECTION": 7,
    "UPDATE_CONNECTION": 7,
    "ACTIVATE_CONNECTION": 5,
    "DEACTIVATE_CONNECTION": 3,
    "DELETE_CONNECTION": 4,
    "START_SYNC": 15,
    "COMPLETE_SYNC": 5,
    "FAIL_SYNC": 11,
    "CANCEL_SYNC": 3,
    "RECORD_DLQ_EVENT": 14,
    "RETRY_DLQ_EVENT": 5,
    "RESOLVE_DLQ_EVENT": 6,
    "RETRY_DLQ_EVENTS": 4,
    "RESOLVE_DLQ_EVENTS": 4,
    "RAISE_ALERT": 5,
    "RESOLVE_ALERT": 6,
    "CREATE_SECRET_REF": 7,
    "ROTATE_SECRET_REF": 4,
    "DELETE_SECRET_REF": 4,
}
ACTS_ON = {
    "projects": ("RENAME_PROJECT", "ADD_PROJECT_MEMBER", "UPDATE_PROJECT_MEMBER", "REMOVE_PROJECT_MEMBER"),
    "connections": ("UPDATE_CONNECTION", "ACTIVATE_CONNECTION", "DEACTIVATE_CONNECTION", "DELETE_CONNECTION"),
    "runs": ("COMPLETE_SYNC", "FAIL_SYNC", "CANCEL_SYNC"),
    "dead_letters": ("RETRY_DLQ_EVENT", "RESOLVE_DLQ_EVENT", "RETRY_DLQ_EVENTS", "RESOLVE_DLQ_EVENTS"),
    "alerts": ("RESOLVE_ALERT",),
    "secret_refs": ("ROTATE_SECRET_REF", "DELETE_SECRET_REF"),
}
NEEDS = {kind: things for things, kinds in ACTS_ON.items() for kind in kinds} | {
    "CREATE_CONNECTION": "projects",
    "START_SYNC": "connections",
    "RECORD_DLQ_EVENT": "connections",
    "RAISE_ALERT": "projects",
}
MAKES = {things: kind for kind, (things, _) in CREATED.items()}
SERVED = {*ACTS_ON["runs"], *ACTS_ON["dead_letters"], "START_SYNC", "RECORD_DLQ_EVENT", "RAISE_ALERT", "RESOLVE_ALERT"}
"""What a service may do for nobody."""
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


class Workload:
    """`registrations` come first and must be projected; then `sends`, in this order or near it. One org is flooded with
    so many dead letters of one connection.
    """

    def __init__(
        self, seed: int, *, orgs: int, users: int, commands: int, repeated: float = 0.2, flooded: int = 0
    ) -> None:
        self._random = random = Random(seed)
        self._model = Model()
        self._draws = Draws(random, [new_id(random) for _ in range(users)])
        self._orgs = [new_id(random) for _ in range(orgs)]
        self._busy = [5 if at % 10 == 0 else 1 for at in range(orgs)]
        self._chosen: list[tuple[int, str, str, str]] = []
        self.entries: list[Json] = []
        self.distinct: list[Send] = []
        self.registrations = [self._decided(registration(user, new_id(random))) for user in self._draws.users]
        self.distinct += [self._creation(org) for org in self._orgs]
        planned = flood(self._draws, flooded) if flooded else {}
        for at in range(commands - orgs):
            self.distinct.append(self._decided(planned[at]) if at in planned else self._mixed())
        self.sends = self._with_repeats(repeated)

    def _with_repeats(self, share: float) -> list[Send]:
        places = [(float(at), send) for at, send in enumerate(self.distinct)]
        again = self._random.sample(places, int(len(places) * share))
        places += [(at + self._random.random() * REPEATED_WITHIN, send) for at, send in again]
        return [send for _, send in sorted(places, key=lambda place: place[0])]

    def _decided(self, send: Send) -> Send:
        self.entries += self._model.decide(send.principal, send.command)
        return send

    def _creation(self, org_id: str) -> Send:
        creator = self._draws.one_of(self._draws.users) if self._draws.chance(0.98) else self._draws.id()
        return self._decided(by_user("CREATE_ORG", org_id, creator, self._draws.id(), name=self._draws.name()))

    def _mixed(self) -> Send:
        org_id = self._random.choices(self._orgs, self._busy)[0]
        org = self._model.world.orgs.get(org_id)
        if org is None or self._draws.chance(0.01):
            return self._creation(org_id)
        kind = self._feasible(org, self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0])
        data = DATA[kind](self._draws, org)
        actor, principal = self._actor(kind, org, data)
        target = self._draws.id() if self._draws.chance(0.01) else org_id
        if kind in CREATED and target == org_id and self._draws.chance(0.5 if principal == SERVICE else 0.03):
            data[CREATED[kind][1]] = self._chosen_id(kind, org_id, principal)
        return self._decided(Send(principal, command(kind, target, actor, self._draws.id(), **data)))

    def _feasible(self, org: Json, kind: str) -> str:
        """The command, or one that makes what it needs."""
        while (lacking := _lacking(org, kind)) is not None and self._draws.chance(0.85):
            kind = MAKES[lacking]
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
        now = len(self.distinct)
        own = [id_ for _, made, org, id_ in self._chosen if (made, org) == (kind, org_id)]
        present = self._model.world.orgs[org_id][CREATED[kind][0]]
        gone = [id_ for id_ in own if id_ not in present]
        others = [id_ for at, _, org, id_ in self._chosen if org != org_id and at < now - LONG_AGO]
        draw = self._random.random()
        if own and draw < 0.35:
            return self._draws.one_of(gone if gone and draw < 0.25 else own)
        if others and draw > 0.95:
            return self._draws.one_of(others)
        fresh = self._draws.id()
        if principal == SERVICE:
            self._chosen.append((now, kind, org_id, fresh))
        return fresh


def _lacking(org: Json, kind: str) -> str | None:
    """What the command would act on or name, if there is none of it."""
    things = NEEDS.get(kind)
    if things == "runs":
        return None if any(run["status"] == "running" for run in org["runs"].values()) else things
    if kind == "CREATE_CONNECTION" and org["projects"] and not org["secret_refs"]:
        return "secret_refs"
    return None if things is None or org[things] else things
