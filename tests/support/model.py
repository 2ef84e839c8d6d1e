"""A model of the command service, in memory. It takes normalised commands in the order of the log, and returns the
expected entries of each: their columns, data, principal and error code.
"""

from dataclasses import dataclass, field

from support.chain import Json, entry_id
from support.rules import MEMBERSHIP
from support.rules_hub import HUB
from support.rules_policies import consequences
from support.rules_runs import RUNS
from support.world import CREATED, NOUNS, TIMEKEEPER, Refused, World, created_id, reserve

RULES = MEMBERSHIP | HUB | RUNS
LEFT_OUT = {"config", "payload", "secret_id_ref", "stats", "message", "error", "error_message", "reason"}
"""Fields that a failure's data leaves out: large values and free text."""


@dataclass(slots=True)
class Model:
    world: World = field(default_factory=World)

    def decide(self, principal: str, command: Json) -> list[Json]:
        """The command's entries, in order. A success changes the model's world. The entries of policies have no message
        in their data: the model does not predict these texts, which are written for people.
        """
        reserve(self.world, command)
        before, outside = self._project(command), self._is_outsider(command)
        try:
            data = RULES[command["type"]](self.world, principal, command)
        except Refused as refused:
            refusal = self._entry(principal, command, before, refused.code)
            return [refusal | self._as_outsider(command) if outside else refusal]
        entry = self._entry(principal, command, before or self._project(command)) | {"data": data}
        return [entry, *self._consequences(entry, principal, command)]

    def _entry(self, principal: str, command: Json, project_id: str | None, code: str | None = None) -> Json:
        """The entry of a failure. For a success, the caller replaces the data."""
        return {
            "action": command["type"],
            "entity_type": _noun(command)[0],
            "entity_id": _entity_id(command),
            "org_id": self._known_org(command),
            "project_id": project_id,
            "actor_user_id": self._known_actor(command),
            "principal": principal,
            "result": "failure" if code else "success",
            "data": self._failure_data(command),
            "code": code,
            "scope": scope_of(principal, command),
        }

    def _is_outsider(self, command: Json) -> bool:
        """Whether the command, if it is refused, gets the scope `outsider`."""
        actor, org = command["actor_user_id"], self.world.orgs.get(command["org_id"])
        if actor is None:
            return False
        if command["type"] == "REGISTER_USER":
            return bool(actor != command["data"]["user_id"])
        return org is None or actor not in org["members"]

    def _as_outsider(self, command: Json) -> Json:
        """The members in which an outsider's refusal differs. Its data has only ids that no column can hold."""
        data = {}
        for name, held in (("org_id", self._known_org(command)), ("actor_user_id", self._known_actor(command))):
            if command[name] is not None and held is None:
                data[name] = command[name]
        own_id = entry_id(key_of(command), command["id"], 0, "outsider", command["actor_user_id"])
        made = CREATED.get(command["type"])
        entity_id = _entity_id(command) if made is None or made[1] in command["data"] else own_id
        return {"data": data, "project_id": None, "entity_id": entity_id, "scope": "outsider"}

    def _consequences(self, entry: Json, principal: str, command: Json) -> list[Json]:
        if entry["entity_type"] not in {"source_connection", "sync_run", "dlq_event"}:
            return []
        org = self.world.orgs[command["org_id"]]
        made = consequences(org, principal, command, entry["data"], entry["project_id"])
        signed = entry | {"entity_type": "integration_alert", "actor_user_id": None, "principal": TIMEKEEPER}
        return [signed | {**each, "entity_id": each["data"]["alert_id"]} for each in made]

    def _failure_data(self, command: Json) -> Json:
        """The data that was sent, without LEFT_OUT, and the ids of a missing org or actor, which no column can hold."""
        data = {name: value for name, value in command["data"].items() if name not in LEFT_OUT}
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

    def _project(self, command: Json) -> str | None:
        """The project of the thing that the command acts on, if it exists."""
        org, noun = self.world.orgs.get(command["org_id"]), _noun(command)[0]
        if org is None or noun in {"user", "org", "org_member", "secret_ref"}:
            return None
        data = command["data"]
        project_id: str | None
        match noun:
            case "project":
                project_id = _entity_id(command)
            case "sync_run" | "dlq_event" if "connection_id" not in data:
                things = org["runs" if noun == "sync_run" else "dead_letters"]
                project_id = _project_of(org, things.get(_entity_id(command), {}).get("connection_id"))
            case "integration_alert" if "project_id" not in data:
                project_id = org["alerts"].get(data["alert_id"], {}).get("project_id")
            case _:
                project_id = data.get("project_id") or _project_of(org, data["connection_id"])
        return project_id if project_id in org["projects"] else None


def key_of(command: Json) -> str:
    key: str = command["org_id"] or command["data"]["user_id"]
    return key


def scope_of(principal: str, command: Json) -> str:
    """The scope of all entries except outsiders' refusals."""
    if principal == TIMEKEEPER:
        return "policy"
    return "user" if command["type"] == "REGISTER_USER" else "org"


def _project_of(org: Json, connection_id: str | None) -> str | None:
    project_id: str | None = org["connections"].get(connection_id, {}).get("project_id")
    return project_id


def _entity_id(command: Json) -> str:
    _, named_by = _noun(command)
    if command["type"] in CREATED:
        return created_id(command)
    entity_id: str = command["data"].get(named_by, command["org_id"])
    return entity_id


def _noun(command: Json) -> tuple[str, str]:
    return NOUNS[command["type"].partition("_")[2]]
