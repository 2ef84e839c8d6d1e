"""The membership tables as an independent fold of the log gives them, and as they stand in PostgreSQL; one shape, so
that a test compares two dicts. A table is {primary key: the other columns}, ids and times as text.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from daybook_infra.postgres import Connection
from support.chain import Json

Table = dict[tuple[str, ...], tuple[Any, ...]]
Tables = dict[str, Table]

COLUMNS = {
    "auth.users": (("id",), ("created_at",)),
    "orgs": (("id",), ("name", "created_at")),
    "org_members": (("org_id", "user_id"), ("role", "created_at")),
    "projects": (("id",), ("org_id", "name", "created_at")),
    "project_members": (("project_id", "user_id"), ("role", "created_at")),
    "audit_log": (
        ("id",),
        (
            "org_id",
            "project_id",
            "actor_user_id",
            "action",
            "entity_type",
            "entity_id",
            "result",
            "metadata_json",
            "created_at",
        ),
    ),
}
TIME = """to_char({} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def fold(entries: Iterable[Json]) -> Tables:
    """The tables after these entries, each org's in the order of its log."""
    tables: Tables = {name: {} for name in COLUMNS}
    for entry in entries:
        tables["audit_log"][entry["id"],] = tuple(entry[column] for column in COLUMNS["audit_log"][1])
        data = entry["metadata_json"]["data"]
        if entry["result"] == "success" and data.get("changed", True):
            FOLDS[entry["action"]](tables, entry, data)
    return tables


def _register_user(tables: Tables, entry: Json, data: Json) -> None:
    tables["auth.users"][data["user_id"],] = (entry["created_at"],)


def _create_org(tables: Tables, entry: Json, data: Json) -> None:
    tables["orgs"][entry["org_id"],] = (data["name"], entry["created_at"])
    tables["org_members"][entry["org_id"], entry["actor_user_id"]] = ("owner", entry["created_at"])


def _rename_org(tables: Tables, entry: Json, data: Json) -> None:
    _, created_at = tables["orgs"][entry["org_id"],]
    tables["orgs"][entry["org_id"],] = (data["name"], created_at)


def _add_member(tables: Tables, entry: Json, data: Json) -> None:
    _insert(tables["org_members"], (entry["org_id"], data["user_id"]), (data["role"], entry["created_at"]))


def _update_member(tables: Tables, entry: Json, data: Json) -> None:
    _change_role(tables["org_members"], (entry["org_id"], data["user_id"]), data["role"])
    for project_id in data.get("project_ids", []):
        _change_role(tables["project_members"], (project_id, data["user_id"]), "viewer")


def _remove_member(tables: Tables, entry: Json, data: Json) -> None:
    del tables["org_members"][entry["org_id"], data["user_id"]]
    for project_id in data["project_ids"]:
        del tables["project_members"][project_id, data["user_id"]]


def _create_project(tables: Tables, entry: Json, data: Json) -> None:
    _insert(tables["projects"], (data["project_id"],), (entry["org_id"], data["name"], entry["created_at"]))


def _rename_project(tables: Tables, entry: Json, data: Json) -> None:
    org_id, _, created_at = tables["projects"][data["project_id"],]
    tables["projects"][data["project_id"],] = (org_id, data["name"], created_at)


def _add_project_member(tables: Tables, entry: Json, data: Json) -> None:
    _insert(tables["project_members"], (data["project_id"], data["user_id"]), (data["role"], entry["created_at"]))


def _update_project_member(tables: Tables, entry: Json, data: Json) -> None:
    _change_role(tables["project_members"], (data["project_id"], data["user_id"]), data["role"])


def _remove_project_member(tables: Tables, entry: Json, data: Json) -> None:
    del tables["project_members"][data["project_id"], data["user_id"]]


FOLDS: dict[str, Callable[[Tables, Json, Json], None]] = {
    "REGISTER_USER": _register_user,
    "CREATE_ORG": _create_org,
    "RENAME_ORG": _rename_org,
    "ADD_MEMBER": _add_member,
    "UPDATE_MEMBER": _update_member,
    "REMOVE_MEMBER": _remove_member,
    "CREATE_PROJECT": _create_project,
    "RENAME_PROJECT": _rename_project,
    "ADD_PROJECT_MEMBER": _add_project_member,
    "UPDATE_PROJECT_MEMBER": _update_project_member,
    "REMOVE_PROJECT_MEMBER": _remove_project_member,
}


def _insert(table: Table, key: tuple[str, ...], row: tuple[Any, ...]) -> None:
    assert key not in table, f"{key} is made twice"
    table[key] = row


def _change_role(table: Table, key: tuple[str, ...], role: str) -> None:
    _, created_at = table[key]
    table[key] = (role, created_at)


async def read_tables(connection: Connection) -> Tables:
    """All six tables from one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return {name: await _read(connection, name, *columns) for name, columns in COLUMNS.items()}


async def _read(connection: Connection, name: str, key: tuple[str, ...], others: tuple[str, ...]) -> Table:
    wanted = ", ".join(_as_text(column) for column in (*key, *others))
    rows = await connection.fetch(f"select {wanted} from {name}")
    return {tuple(row[c] for c in key): tuple(_value(row[c], c) for c in others) for row in rows}


def _as_text(column: str) -> str:
    return f"{TIME.format(column)} as {column}" if column == "created_at" else f"{column}::text as {column}"


def _value(cell: str | None, column: str) -> Any:
    return json.loads(cell) if column == "metadata_json" and cell is not None else cell


def differences(expected: Tables, found: Tables, most: int = 5) -> list[str]:
    """A few lines that say where two sets of tables differ; empty if they are equal."""
    lines = []
    for name in COLUMNS:
        keys = sorted(expected[name].keys() | found[name].keys())
        differing = [key for key in keys if expected[name].get(key) != found[name].get(key)]
        lines += [f"{name} {key}: {expected[name].get(key)} != {found[name].get(key)}" for key in differing[:most]]
    return lines
