"""A second implementation, from the contract, of how success entries of users, orgs, members and projects change the
tables. It shares no code with the projector.
"""

from collections.abc import Callable
from typing import Any

from support.chain import Json

Table = dict[tuple[str, ...], tuple[Any, ...]]
"""{primary key: the other columns}, ids and times as text."""
Tables = dict[str, Table]
Fold = Callable[[Tables, Json, Json], None]
"""Called with the tables, the entry and its data."""


def _register_user(tables: Tables, entry: Json, data: Json) -> None:
    tables["auth.users"][data["user_id"],] = (entry["created_at"],)


def _create_org(tables: Tables, entry: Json, data: Json) -> None:
    tables["orgs"][entry["org_id"],] = (data["name"], entry["created_at"])
    tables["org_members"][entry["org_id"], entry["actor_user_id"]] = ("owner", entry["created_at"])


def _rename_org(tables: Tables, entry: Json, data: Json) -> None:
    _, created_at = tables["orgs"][entry["org_id"],]
    tables["orgs"][entry["org_id"],] = (data["name"], created_at)


def _add_member(tables: Tables, entry: Json, data: Json) -> None:
    insert(tables["org_members"], (entry["org_id"], data["user_id"]), (data["role"], entry["created_at"]))


def _update_member(tables: Tables, entry: Json, data: Json) -> None:
    _change_role(tables["org_members"], (entry["org_id"], data["user_id"]), data["role"])
    for project_id in data.get("project_ids", []):
        _change_role(tables["project_members"], (project_id, data["user_id"]), "viewer")


def _remove_member(tables: Tables, entry: Json, data: Json) -> None:
    del tables["org_members"][entry["org_id"], data["user_id"]]
    for project_id in data["project_ids"]:
        del tables["project_members"][project_id, data["user_id"]]


def _create_project(tables: Tables, entry: Json, data: Json) -> None:
    insert(tables["projects"], (data["project_id"],), (entry["org_id"], data["name"], entry["created_at"]))


def _rename_project(tables: Tables, entry: Json, data: Json) -> None:
    org_id, _, created_at = tables["projects"][data["project_id"],]
    tables["projects"][data["project_id"],] = (org_id, data["name"], created_at)


def _add_project_member(tables: Tables, entry: Json, data: Json) -> None:
    insert(tables["project_members"], (data["project_id"], data["user_id"]), (data["role"], entry["created_at"]))


def _update_project_member(tables: Tables, entry: Json, data: Json) -> None:
    _change_role(tables["project_members"], (data["project_id"], data["user_id"]), data["role"])


def _remove_project_member(tables: Tables, entry: Json, data: Json) -> None:
    del tables["project_members"][data["project_id"], data["user_id"]]


MEMBERSHIP_FOLDS: dict[str, Fold] = {
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


def insert(table: Table, key: tuple[str, ...], row: tuple[Any, ...]) -> None:
    assert key not in table, f"{key} is made twice"
    table[key] = row


def _change_role(table: Table, key: tuple[str, ...], role: str) -> None:
    _, created_at = table[key]
    table[key] = (role, created_at)
