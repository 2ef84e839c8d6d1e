"""What the model's rules share: the world that they change, refusals, and an actor's roles in orgs and projects. It is
written from the contract alone and shares no code with the services.
"""

from dataclasses import dataclass, field

from support.chain import Json, thing_id

LEADERS = {"owner", "admin"}
TIMEKEEPER = "service:daybook"
"""The principal that fails overdue runs and that writes the entries of policies."""
MOST = 10_000
"""The limit of an org's projects, of its connections and of its secret references."""

CREATED = {
    "CREATE_PROJECT": ("projects", "project_id"),
    "CREATE_CONNECTION": ("connections", "connection_id"),
    "START_SYNC": ("runs", "sync_run_id"),
    "RECORD_DLQ_EVENT": ("dead_letters", "dlq_event_id"),
    "RAISE_ALERT": ("alerts", "alert_id"),
    "CREATE_SECRET_REF": ("secret_refs", "secret_ref_id"),
}
"""For each command that creates a thing: the kind of thing, and the field in which a service may choose its id."""

NOUNS = {
    "USER": ("user", "user_id"),
    "ORG": ("org", ""),
    "MEMBER": ("org_member", "user_id"),
    "PROJECT": ("project", "project_id"),
    "PROJECT_MEMBER": ("project_member", "user_id"),
    "CONNECTION": ("source_connection", "connection_id"),
    "SYNC": ("sync_run", "sync_run_id"),
    "DLQ_EVENT": ("dlq_event", "dlq_event_id"),
    "DLQ_EVENTS": ("source_connection", "connection_id"),
    "ALERT": ("integration_alert", "alert_id"),
    "SECRET_REF": ("secret_ref", "secret_ref_id"),
}
"""For each noun in the name of an action, the entity's type and the field with its id. An org's id is not in
the data.
"""


class Refused(Exception):
    """The model rejects the command; raised to end a rule early."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class World:
    """`orgs` maps ids to orgs, in the form of `new_org`. `reserved` maps chosen ids to the org that chose them
    first.
    """

    users: set[str] = field(default_factory=set)
    orgs: dict[str, Json] = field(default_factory=dict)
    reserved: dict[str, str] = field(default_factory=dict)


def new_org(name: str, owner: str) -> Json:
    """`members` maps users to roles. All other things are by id: projects {name, members}, connections {project_id,
    type, name, config, active, failures}, runs {connection_id, status}, dead letters {connection_id, pending,
    retry_count}, alerts {project_id, severity}, secret references {key_name, secret_id_ref}.
    """
    made: Json = {"name": name, "members": {owner: "owner"}}
    return made | {kind: {} for kind, _ in CREATED.values()}


def require(right: bool, code: str = "FORBIDDEN") -> None:  # noqa: FBT001 - the condition itself is the argument
    if not right:
        raise Refused(code)


def org_of(world: World, command: Json) -> Json:
    """The command's org. Refuses if it does not exist or the actor is not a member; a service needs no actor."""
    org = world.orgs.get(command["org_id"])
    actor = command["actor_user_id"]
    if org is None or (actor is not None and actor not in org["members"]):
        raise Refused("ORG_NOT_FOUND")
    return org


def existing(org: Json, kind: str, id_: str, code: str) -> Json:
    """The org's thing with this id. Refuses with `code` if there is none."""
    require(id_ in org[kind], code)
    thing: Json = org[kind][id_]
    return thing


def role_of(org: Json, command: Json) -> str | None:
    role: str | None = org["members"].get(command["actor_user_id"])
    return role


def leads_org(org: Json, command: Json) -> bool:
    return role_of(org, command) in LEADERS


def manages_project(org: Json, project_id: str, command: Json) -> bool:
    return leads_org(org, command) or _project_role(org, project_id, command) == "admin"


def works_in_project(org: Json, project_id: str, command: Json) -> bool:
    """True for a service without an actor, the org's owners and admins, and the project's admins and editors."""
    role = _project_role(org, project_id, command)
    return command["actor_user_id"] is None or leads_org(org, command) or role in {"admin", "editor"}


def _project_role(org: Json, project_id: str, command: Json) -> str | None:
    role: str | None = org["projects"][project_id]["members"].get(command["actor_user_id"])
    return role


def may_choose(principal: str, command: Json) -> bool:
    """Only a service may choose the id of the thing that it creates, also when it acts for a user."""
    return CREATED[command["type"]][1] not in command["data"] or principal.startswith("service:")


def created_id(command: Json) -> str:
    """The id of the thing that the command creates, or would create if it were accepted."""
    chosen: str | None = command["data"].get(CREATED[command["type"]][1])
    return chosen or thing_id(command["org_id"], command["id"])


def require_free(world: World, command: Json) -> None:
    """Refuses an id that is already in use, or that another org chose first. Only a chosen id can be another org's: the
    others are computed from the org's id, and nobody may choose an id in their form.
    """
    id_, (kind, field_) = created_id(command), CREATED[command["type"]]
    require(world.reserved.get(id_, command["org_id"]) == command["org_id"], "ALREADY_EXISTS")
    orgs = world.orgs.values() if field_ in command["data"] else (world.orgs[command["org_id"]],)
    require(all(id_ not in org[kind] for org in orgs), "ALREADY_EXISTS")


def reserve(world: World, command: Json) -> None:
    """Reserves a chosen id. This happens before the decision, and a rejection does not undo it."""
    if command["type"] in CREATED and CREATED[command["type"]][1] in command["data"]:
        world.reserved.setdefault(created_id(command), command["org_id"])


def unchanged(data: Json) -> Json:
    return {**data, "changed": False}
