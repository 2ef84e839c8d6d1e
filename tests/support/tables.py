"""Two sources of the tables: an independent fold of the log, and PostgreSQL. Both give dicts of the same form, so that
tests can compare them. A table is {primary key: the other columns}; ids and times are text, JSON is parsed. Both also
have the bookkeeping table of connections' activity.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from daybook_infra.runtime.postgres.connections import Connection
from support.chain import Json
from support.folds import MEMBERSHIP_FOLDS, Table, Tables
from support.folds_hub import HUB_FOLDS
from support.recounted import ACTIVITY, ACTIVITY_COLUMNS, recounted

__all__ = ["COLUMNS", "SCHEMA", "Table", "Tables", "differences", "fold", "post", "read_table", "read_tables"]

FOLDS = MEMBERSHIP_FOLDS | HUB_FOLDS
DICTIONARY = {
    "auth.users": "*id uuid, created_at time",
    "orgs": "*id uuid, name text, created_at time",
    "org_members": "*org_id uuid, *user_id uuid, role org_role, created_at time",
    "projects": "*id uuid, org_id uuid, name text, created_at time",
    "project_members": "*project_id uuid, *user_id uuid, role text, created_at time",
    "audit_log": "*id uuid, org_id uuid?, project_id uuid?, actor_user_id uuid?, action text, entity_type text, "
    "entity_id uuid, result text, metadata_json jsonb, created_at time",
    "source_connections": "*id uuid, org_id uuid, project_id uuid, type text, name text, config_json jsonb, "
    "is_active boolean",
    "sync_runs": "*id uuid, connection_id uuid, status text, started_at time, finished_at time?, error_message text?",
    "dlq_events": "*id uuid, connection_id uuid, payload_json jsonb, status text, retry_count integer",
    "integration_alerts": "*id uuid, project_id uuid, severity text, message text",
    "secret_refs": "*id uuid, org_id uuid, key_name text, secret_id_ref text",
}
"""The columns of each table with their types. `*` marks the primary key, `?` a column that may be null."""


class Column(NamedTuple):
    name: str
    type: str
    is_key: bool
    is_nullable: bool


def _columns(described: str) -> list[Column]:
    pairs = [each.split() for each in described.split(", ")]
    return [Column(name.strip("*"), type_.strip("?"), name[0] == "*", type_[-1] == "?") for name, type_ in pairs]


SCHEMA = {name: _columns(described) for name, described in DICTIONARY.items()}
COLUMNS = {
    name: (tuple(c.name for c in columns if c.is_key), tuple(c.name for c in columns if not c.is_key))
    for name, columns in SCHEMA.items()
}
TIME = """to_char({} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
TYPES = {column.name: column.type for columns in SCHEMA.values() for column in columns}
TYPES |= {"pending": "integer", "failed_in_a_row": "integer", "running_run_id": "uuid"}


def fold(entries: Iterable[Json]) -> Tables:
    """The tables after these entries. The entries of each org must be in the order of its log."""
    tables: Tables = {name: {} for name in COLUMNS}
    for entry in entries:
        post(tables, entry)
    tables[ACTIVITY] = recounted(tables)
    return tables


def post(tables: Tables, entry: Json) -> None:
    tables["audit_log"][entry["id"],] = tuple(entry[column] for column in COLUMNS["audit_log"][1])
    data = entry["metadata_json"]["data"]
    if entry["result"] == "success" and data.get("changed", True):
        FOLDS[entry["action"]](tables, entry, data)


async def read_tables(connection: Connection) -> Tables:
    """Reads all tables from one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        wanted = COLUMNS | {ACTIVITY: ACTIVITY_COLUMNS}
        return {name: await read_table(connection, name, *columns) for name, columns in wanted.items()}


async def read_table(connection: Connection, name: str, key: tuple[str, ...], others: tuple[str, ...]) -> Table:
    wanted = ", ".join(_as_text(column) for column in (*key, *others))
    rows = await connection.fetch(f"select {wanted} from {name}")
    return {tuple(row[c] for c in key): tuple(_value(row[c], c) for c in others) for row in rows}


def _as_text(column: str) -> str:
    return f"{TIME.format(column)} as {column}" if TYPES[column] == "time" else f"{column}::text as {column}"


def _value(cell: str | None, column: str) -> Any:
    """The value of a cell, which was read as text. The text of a boolean or an integer is valid JSON."""
    return json.loads(cell) if TYPES[column] in {"jsonb", "boolean", "integer"} and cell is not None else cell


def differences(expected: Tables, found: Tables, most: int = 5) -> list[str]:
    """Lines that describe up to `most` different rows of each table; empty if the tables are equal."""
    lines = []
    for name in dict.fromkeys((*expected, *found)):
        one, other = expected.get(name, {}), found.get(name, {})
        differing = [key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)]
        lines += [f"{name} {key}: {one.get(key)} != {other.get(key)}" for key in differing[:most]]
    return lines
