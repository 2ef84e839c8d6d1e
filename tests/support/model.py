"""A pure in-memory model of the command service: normalised commands in, in the order of the log, and out the entry
that must be there for each: its columns, data and error code.
"""

from dataclasses import dataclass, field

from support.chain import Json
from support.rules import RULES, Refused, World, named_project

ENTITY_TYPES = {
    "REGISTER_USER": "user",
    "CREATE_ORG": "org",
    "RENAME_ORG": "org",
    "ADD_MEMBER": "org_member",
    "UPDATE_MEMBER": "org_member",
    "REMOVE_MEMBER": "org_member",
    "CREATE_PROJECT": "project",
    "RENAME_PROJECT": "project",
    "ADD_PROJECT_MEMBER": "project_member",
    "UPDATE_PROJECT_MEMBER": "project_member",
    "REMOVE_PROJECT_MEMBER": "project_member",
}


@dataclass(slots=True)
class Model:
    world: World = field(default_factory=World)

    def decide(self, principal: str, command: Json) -> Json:
        """The entry's columns, data and error code; the model has moved on if it is a success."""
        try:
            data = RULES[command["type"]](self.world, principal, command)
        except Refused as refused:
            return self._entry(command, "failure", self._failure_data(command), refused.code)
        return self._entry(command, "success", data, None)

    def _entry(self, command: Json, result: str, data: Json, code: str | None) -> Json:
        return {
            "action": command["type"],
            "entity_type": ENTITY_TYPES[command["type"]],
            "entity_id": _entity_id(command),
            "org_id": self._known_org(command),
            "project_id": self._known_project(command),
            "actor_user_id": self._known_actor(command),
            "result": result,
            "data": data,
            "code": code,
        }

    def _failure_data(self, command: Json) -> Json:
        """The claim as it was, and the ids that no column can hold."""
        data = dict(command["data"])
        for name, held in (("org_id", self._known_org(command)), ("actor_user_id", self._known_actor(command))):
            if command[name] is not None and held is None:
                data[name] = command[name]
        return data

    def _known_org(self, command: Json) -> str | None:
        org_id: str | None = command["org_id"]
        return org_id if org_id in self.world.orgs else None

    def _known_actor(self, command: Json) -> str | None:
        actor: str | None = command["actor_user_id"]
        return actor if actor in self.world.users else None

    def _known_project(self, command: Json) -> str | None:
        org = self.world.orgs.get(command["org_id"])
        if org is None or ENTITY_TYPES[command["type"]] not in {"project", "project_member"}:
            return None
        project_id = named_project(command)
        return project_id if project_id in org["projects"] else None


def _entity_id(command: Json) -> str:
    match ENTITY_TYPES[command["type"]]:
        case "org":
            entity_id: str = command["org_id"]
        case "project":
            entity_id = named_project(command)
        case _:
            entity_id = command["data"]["user_id"]
    return entity_id
