"""The tables, by an independent fold of the log and as read from PostgreSQL, in one shape, so that tests can compare
two dicts. A table is {primary key: the other columns}, ids and times as text, JSON as values.
"""

import json
from collections.abc import Iterable
from typing import Any

from daybook_infra.runtime.postgres.connections import Connection
from support.chain import Json
from support.folds import MEMBERSHIP_FOLDS, Table, Tables
from support.folds_hub import HUB_FOLDS

__all__ = ["COLUMNS", "Table", "Tables", "differences", "fold", "post", "read_tables"]

FOLDS = MEMBERSHIP_FOLDS | HUB_FOLDS
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
    "source_connections": (("id",), ("org_id", "project_id", "type", "name", "config_json", "is_active")),
    "sync_runs": (("id",), ("connection_id", "status", "started_at", "finished_at", "error_message")),
    "dlq_events": (("id",), ("connection_id", "payload_json", "status", "retry_count")),
    "integration_alerts": (("id",), ("project_id", "severity", "message")),
    "secret_refs": (("id",), ("org_id", "key_name", "secret_id_ref")),
}
TIME = """to_char({} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
TIMES = {"created_at", "started_at", "finished_at"}
# As text, a boolean and an integer are JSON too.
VALUES = {"metadata_json", "config_json", "payload_json", "is_active", "retry_count"}


def fold(entries: Iterable[Json]) -> Tables:
    """The tables after these entries, each org's in the order of its log."""
    tables: Tables = {name: {} for name in COLUMNS}
    for entry in entries:
        post(tables, entry)
    return tables


def post(tables: Tables, entry: Json) -> None:
    tables["audit_log"][entry["id"],] = tuple(entry[column] for column in COLUMNS["audit_log"][1])
    data = entry["metadata_json"]["data"]
    if entry["result"] == "success" and data.get("changed", True):
        FOLDS[entry["action"]](tables, entry, data)


async def read_tables(connection: Connection) -> Tables:
    """Reads all tables from one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return {name: await _read(connection, name, *columns) for name, columns in COLUMNS.items()}


async def _read(connection: Connection, name: str, key: tuple[str, ...], others: tuple[str, ...]) -> Table:
    wanted = ", ".join(_as_text(column) for column in (*key, *others))
    rows = await connection.fetch(f"select {wanted} from {name}")
    return {tuple(row[c] for c in key): tuple(_value(row[c], c) for c in others) for row in rows}


def _as_text(column: str) -> str:
    return f"{TIME.format(column)} as {column}" if column in TIMES else f"{column}::text as {column}"


def _value(cell: str | None, column: str) -> Any:
    return json.loads(cell) if column in VALUES and cell is not None else cell


def differences(expected: Tables, found: Tables, most: int = 5) -> list[str]:
    """A few lines that say how two sets of tables differ; empty if they are equal."""
    lines = []
    for name in COLUMNS:
        keys = sorted(expected[name].keys() | found[name].keys())
        differing = [key for key in keys if expected[name].get(key) != found[name].get(key)]
        lines += [f"{name} {key}: {expected[name].get(key)} != {found[name].get(key)}" for key in differing[:most]]
    return lines
