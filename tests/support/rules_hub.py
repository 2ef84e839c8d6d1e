"""A second implementation, from the contract, of the rules for connections and secret references. Each command has a
function, which returns the data of the success entry or raises Refused.
"""

from support.chain import Json, jcs
from support.rules import Rule
from support.rules_configs import checked_config
from support.world import (
    MOST,
    World,
    created_id,
    existing,
    leads_org,
    manages_project,
    may_choose,
    org_of,
    require,
    require_free,
    unchanged,
)


def _require_secrets(org: Json, config: Json) -> None:
    """Refuses the config if it names a key_name that does not exist."""
    known = {ref["key_name"] for ref in org["secret_refs"].values()}
    require(set(config.get("secrets", {}).values()) <= known, "SECRET_REF_NOT_FOUND")


def _connection(org: Json, command: Json) -> Json:
    """The connection that the command acts on. Refuses the command if the actor has no right to manage its project."""
    connection = existing(org, "connections", command["data"]["connection_id"], "CONNECTION_NOT_FOUND")
    require(manages_project(org, connection["project_id"], command))
    return connection


def _create_connection(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), command["data"]
    require(data["project_id"] in org["projects"], "PROJECT_NOT_FOUND")
    require(manages_project(org, data["project_id"], command) and may_choose(principal, command))
    config = checked_config(data["type"], data["config"])
    _require_secrets(org, config)
    require_free(world, command)
    require(len(org["connections"]) < MOST, "LIMIT_REACHED")
    made = {**data, "connection_id": created_id(command), "config": config}
    kept = {name: made[name] for name in ("project_id", "type", "name", "config")}
    org["connections"][made["connection_id"]] = {**kept, "active": True, "failures": 0}
    return made


def _update_connection(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), dict(command["data"])
    connection = _connection(org, command)
    if "config" in data:
        data["config"] = checked_config(connection["type"], data["config"])
        _require_secrets(org, data["config"])
    changes = {name: data[name] for name in ("name", "config") if name in data}
    if all(jcs(connection[name]) == jcs(value) for name, value in changes.items()):
        return unchanged(data)
    connection.update(changes)
    return data


def _switch_connection(world: World, principal: str, command: Json) -> Json:
    connection, active = _connection(org_of(world, command), command), command["type"] == "ACTIVATE_CONNECTION"
    if connection["active"] is active:
        return unchanged(command["data"])
    connection["active"] = active
    return dict(command["data"])


def _delete_connection(world: World, principal: str, command: Json) -> Json:
    org, id_ = org_of(world, command), command["data"]["connection_id"]
    _connection(org, command)
    running = [run for run in org["runs"].values() if (run["connection_id"], run["status"]) == (id_, "running")]
    require(not running, "SYNC_ALREADY_RUNNING")
    del org["connections"][id_]
    for kind in ("runs", "dead_letters"):
        org[kind] = {child: made for child, made in org[kind].items() if made["connection_id"] != id_}
    return dict(command["data"])


def _create_secret_ref(world: World, principal: str, command: Json) -> Json:
    org, data = org_of(world, command), command["data"]
    require(leads_org(org, command) and may_choose(principal, command))
    require_free(world, command)
    require(data["key_name"] not in {ref["key_name"] for ref in org["secret_refs"].values()}, "ALREADY_EXISTS")
    require(len(org["secret_refs"]) < MOST, "LIMIT_REACHED")
    kept = {name: data[name] for name in ("key_name", "secret_id_ref")}
    org["secret_refs"][created_id(command)] = kept
    return {**kept, "secret_ref_id": created_id(command)}


def _secret_ref(org: Json, command: Json) -> Json:
    """The reference that the command acts on. Refuses the command unless the actor is an owner or admin of the org."""
    ref = existing(org, "secret_refs", command["data"]["secret_ref_id"], "SECRET_REF_NOT_FOUND")
    require(leads_org(org, command))
    return ref


def _rotate_secret_ref(world: World, principal: str, command: Json) -> Json:
    ref, data = _secret_ref(org_of(world, command), command), command["data"]
    if ref["secret_id_ref"] == data["secret_id_ref"]:
        return unchanged(data)
    ref["secret_id_ref"] = data["secret_id_ref"]
    return dict(data)


def _delete_secret_ref(world: World, principal: str, command: Json) -> Json:
    org = org_of(world, command)
    key_name = _secret_ref(org, command)["key_name"]
    configs = [connection["config"] for connection in org["connections"].values()]
    require(all(key_name not in config.get("secrets", {}).values() for config in configs), "SECRET_REF_IN_USE")
    del org["secret_refs"][command["data"]["secret_ref_id"]]
    return dict(command["data"])


HUB: dict[str, Rule] = {
    "CREATE_CONNECTION": _create_connection,
    "UPDATE_CONNECTION": _update_connection,
    "ACTIVATE_CONNECTION": _switch_connection,
    "DEACTIVATE_CONNECTION": _switch_connection,
    "DELETE_CONNECTION": _delete_connection,
    "CREATE_SECRET_REF": _create_secret_ref,
    "ROTATE_SECRET_REF": _rotate_secret_ref,
    "DELETE_SECRET_REF": _delete_secret_ref,
}
