"""What the model's rules share: the world that they change, how they refuse, who an actor is to an org or a project.
It is written from the contract alone and shares no code with the services.
"""

from dataclasses import dataclass, field

from support.chain import Json, thing_id

LEADERS = {"owner", "admin"}
TIMEKEEPER = "service:daybook"
"""Who fails a run that takes too long, and signs what policies write."""
MOST = 10_000
"""An org has no more projects, connections or secret references, of each kind."""

CREATED = {
    "CREATE_PROJECT": ("projects", "project_id"),
    "CREATE_CONNECTION": ("connections", "connection_id"),
    "START_SYNC": ("runs", "sync_run_id"),
    "RECORD_DLQ_EVENT": ("dead_letters", "dlq_event_id"),
    "RAISE_ALERT": ("alerts", "alert_id"),
    "CREATE_SECRET_REF": ("secret_refs", "secret_ref_id"),
}
"""What a create makes, and the field in which a service may choose its id."""


class Refused(Exception):
    """A rejection; it only ends the rule early."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class World:
    """`orgs`: id to what `new_org` gives. `reserved`: chosen id to the org that was the first to ask for it."""

    users: set[str] = field(default_factory=set)
    orgs: dict[str, Json] = field(default_factory=dict)
    reserved: dict[str, str] = field(default_factory=dict)


def new_org(name: str, owner: str) -> Json:
    """Members are user to role. The others are by id: projects {name, members}, connections {project_id, type, name,
    config, active, failures}, runs {connection_id, status}, dead letters {connection_id, pending, retry_count},
    alerts {project_id, severity}, secret references {key_name, secret_id_ref}.
    """
    made: Json = {"name": name, "members": {owner: "owner"}}
    return made | {kind: {} for kind, _ in CREATED.values()}


def require(right: bool, code: str = "FORBIDDEN") -> None:  # noqa: FBT001 - the condition itself is the argument
    if not right:
        raise Refused(code)


def org_of(world: World, command: Json) -> Json:
    """The org, if it is there and the actor may see it; a service without an actor sees every org."""
    org = world.orgs.get(command["org_id"])
    actor = command["actor_user_id"]
    if org is None or (actor is not None and actor not in org["members"]):
        raise Refused("ORG_NOT_FOUND")
    return org


def named(org: Json, kind: str, id_: str, code: str) -> Json:
    """The thing of the org with that id."""
    require(id_ in org[kind], code)
    thing: Json = org[kind][id_]
    return thing


def role_of(org: Json, command: Json) -> str | None:
    role: str | None = org["members"].get(command["actor_user_id"])
    return role


def leads(org: Json, command: Json) -> bool:
    return role_of(org, command) in LEADERS


def runs_project(org: Json, project_id: str, command: Json) -> bool:
    return leads(org, command) or _project_role(org, project_id, command) == "admin"


def works_in_project(org: Json, project_id: str, command: Json) -> bool:
    """What a service without an actor, the org's leaders, and a project's admins and editors may."""
    role = _project_role(org, project_id, command)
    return command["actor_user_id"] is None or leads(org, command) or role in {"admin", "editor"}


def _project_role(org: Json, project_id: str, command: Json) -> str | None:
    role: str | None = org["projects"][project_id]["members"].get(command["actor_user_id"])
    return role


def may_choose(principal: str, command: Json) -> bool:
    """Only a service chooses the id of what it creates, also where it acts for a user."""
    return CREATED[command["type"]][1] not in command["data"] or principal.startswith("service:")


def made_id(command: Json) -> str:
    """The id of what a create makes, or would make."""
    chosen: str | None = command["data"].get(CREATED[command["type"]][1])
    return chosen or thing_id(command["org_id"], command["id"])


def require_free(world: World, command: Json) -> None:
    """Refuses an id that the org has in use, or that another org was the first to ask for."""
    id_, (kind, _) = made_id(command), CREATED[command["type"]]
    require(world.reserved.get(id_, command["org_id"]) == command["org_id"], "ALREADY_EXISTS")
    require(all(id_ not in org[kind] for org in world.orgs.values()), "ALREADY_EXISTS")


def reserve(world: World, command: Json) -> None:
    """A chosen id is reserved before the command is decided, whatever comes of it."""
    if command["type"] in CREATED and CREATED[command["type"]][1] in command["data"]:
        world.reserved.setdefault(made_id(command), command["org_id"])


def unchanged(data: Json) -> Json:
    return {**data, "changed": False}
