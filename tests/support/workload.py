"""Seeded random membership commands over many orgs: mostly sensible, some refused, some sent twice. The generator plays
its own commands through a model as it goes, so that later ones name members and projects that are likely to be there.
"""

from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any
from uuid import UUID, uuid4

from support.chain import Json, partition_of
from support.model import Model
from support.publisher import Send

ROLES = ("owner", "admin", "member", "viewer")
PROJECT_ROLES = ("admin", "editor", "viewer")
WEIGHTS = {
    "RENAME_ORG": 6,
    "ADD_MEMBER": 22,
    "UPDATE_MEMBER": 14,
    "REMOVE_MEMBER": 8,
    "CREATE_PROJECT": 12,
    "RENAME_PROJECT": 7,
    "ADD_PROJECT_MEMBER": 16,
    "UPDATE_PROJECT_MEMBER": 9,
    "REMOVE_PROJECT_MEMBER": 6,
}
SERVICE = "service:loader"
# How far behind its first sending a command's second one stands.
REPEATED_WITHIN = 60


def new_id(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


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
    """`registrations` come first and must be projected; then `sends`, in this order or near it."""

    def __init__(self, seed: int, *, orgs: int, users: int, commands: int, repeated: float = 0.2) -> None:
        self._random = Random(seed)
        self._model = Model()
        self._users = [new_id(self._random) for _ in range(users)]
        self._orgs = [new_id(self._random) for _ in range(orgs)]
        self.registrations = [registration(user, new_id(self._random)) for user in self._users]
        for send in self.registrations:
            self._model.decide(send.principal, send.command)
        self.distinct = [self._creation(org) for org in self._orgs]
        self.distinct += [self._mixed() for _ in range(commands - orgs)]
        self.sends = self._with_repeats(repeated)

    def _with_repeats(self, share: float) -> list[Send]:
        places = [(float(at), send) for at, send in enumerate(self.distinct)]
        again = self._random.sample(places, int(len(places) * share))
        places += [(at + self._random.random() * REPEATED_WITHIN, send) for at, send in again]
        return [send for _, send in sorted(places, key=lambda place: place[0])]

    def _creation(self, org_id: str) -> Send:
        creator = self._random.choice(self._users)
        return self._decided(by_user("CREATE_ORG", org_id, creator, new_id(self._random), name=self._name()))

    def _mixed(self) -> Send:
        org_id = self._random.choice(self._orgs)
        if self._random.random() < 0.01:
            return self._creation(org_id)
        kind = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        data = DATA[kind](self, self._model.world.orgs[org_id])
        actor, principal = self._actor(org_id, data)
        if kind == "CREATE_PROJECT" and principal == SERVICE and actor is not None:
            data["project_id"] = new_id(self._random)
        wrong_org = self._random.random() < 0.01
        target = new_id(self._random) if wrong_org else org_id
        return self._decided(Send(principal, command(kind, target, actor, new_id(self._random), **data)))

    def _decided(self, send: Send) -> Send:
        self._model.decide(send.principal, send.command)
        return send

    def _actor(self, org_id: str, data: Json) -> tuple[str | None, str]:
        """A leader mostly; else any member, the one who is touched, any user, a service for a user or for itself."""
        members = self._model.world.orgs[org_id]["members"]
        leaders = [user for user, role in members.items() if role in {"owner", "admin"}]
        groups = [leaders, list(members), [data.get("user_id") or leaders[0]], self._users]
        actor = self._random.choice(self._random.choices(groups, [70, 16, 6, 8])[0])
        draw = self._random.random()
        if draw < 0.02:
            return None, SERVICE
        return actor, SERVICE if draw < 0.12 else f"user:{actor}"

    def _name(self) -> str:
        return self._random.choice(("Ada", "Grace", "Zoë", "数据", "naïve 🦉", "Quarter 4", 'a "quoted" \\ name'))

    def _member(self, org: Json) -> str:
        members: list[str] = list(org["members"])
        return self._random.choice(members if self._random.random() < 0.9 else self._users)

    def _project(self, org: Json) -> tuple[str, Json]:
        """An existing project if there is one, else an id that was never used."""
        projects: list[tuple[str, Json]] = list(org["projects"].items())
        if projects and self._random.random() < 0.96:
            return self._random.choice(projects)
        return new_id(self._random), {"members": {}}

    def rename(self, _org: Json) -> Json:
        return {"name": self._name()}

    def member_role(self, org: Json) -> Json:
        return {"user_id": self._member(org), "role": self._random.choice(ROLES)}

    def new_member(self, _org: Json) -> Json:
        user_id = self._random.choice(self._users) if self._random.random() < 0.98 else new_id(self._random)
        return {"user_id": user_id, "role": self._random.choices(ROLES, [1, 2, 4, 3])[0]}

    def member(self, org: Json) -> Json:
        return {"user_id": self._member(org)}

    def rename_project(self, org: Json) -> Json:
        return {"project_id": self._project(org)[0], "name": self._name()}

    def new_project_member(self, org: Json) -> Json:
        role = self._random.choice(PROJECT_ROLES)
        return {"project_id": self._project(org)[0], "user_id": self._member(org), "role": role}

    def project_member(self, org: Json) -> Json:
        project_id, project = self._project(org)
        user_id = self._random.choice(list(project["members"]) or [self._member(org)])
        return {"project_id": project_id, "user_id": user_id}

    def project_role(self, org: Json) -> Json:
        return {**self.project_member(org), "role": self._random.choice(PROJECT_ROLES)}


DATA: dict[str, Callable[[Workload, Json], Json]] = {
    "RENAME_ORG": Workload.rename,
    "ADD_MEMBER": Workload.new_member,
    "UPDATE_MEMBER": Workload.member_role,
    "REMOVE_MEMBER": Workload.member,
    "CREATE_PROJECT": Workload.rename,
    "RENAME_PROJECT": Workload.rename_project,
    "ADD_PROJECT_MEMBER": Workload.new_project_member,
    "UPDATE_PROJECT_MEMBER": Workload.project_role,
    "REMOVE_PROJECT_MEMBER": Workload.project_member,
}
