"""source_connections: connections of projects. A connection's runs, dead letters and activity are deleted with it."""

from collections.abc import Iterable

from msgspec import UNSET

from daybook_contracts.entries.facts import (
    ConnectionActivated,
    ConnectionCreated,
    ConnectionDeactivated,
    ConnectionDeleted,
    ConnectionUpdated,
)
from daybook_projector.projections.changes import Change, Delete, Insert, Table, Update, Value
from daybook_projector.projections.rule import Columns, Rules

SOURCE_CONNECTIONS = Table(
    "public.source_connections",
    key=("id",),
    columns={
        "id": "uuid",
        "org_id": "uuid",
        "project_id": "uuid",
        "type": "text",
        "name": "text",
        "config_json": "jsonb",
        "is_active": "boolean",
    },
)


def created(entry: Columns, fact: ConnectionCreated) -> Iterable[Change]:
    row: dict[str, Value] = {
        "id": fact.connection_id,
        "org_id": entry.org_id,
        "project_id": fact.project_id,
        "type": fact.type,
        "name": fact.name,
        "config_json": bytes(fact.config).decode(),
        "is_active": True,
    }
    return (Insert(SOURCE_CONNECTIONS, row),)


def updated(_entry: Columns, fact: ConnectionUpdated) -> Iterable[Change]:
    values: dict[str, Value] = {}
    if fact.name is not UNSET:
        values["name"] = fact.name
    if fact.config is not UNSET:
        values["config_json"] = bytes(fact.config).decode()
    return (Update(SOURCE_CONNECTIONS, (fact.connection_id,), values),) if values else ()


def activated(_entry: Columns, fact: ConnectionActivated) -> Iterable[Change]:
    return (Update(SOURCE_CONNECTIONS, (fact.connection_id,), {"is_active": True}),)


def deactivated(_entry: Columns, fact: ConnectionDeactivated) -> Iterable[Change]:
    return (Update(SOURCE_CONNECTIONS, (fact.connection_id,), {"is_active": False}),)


def deleted(_entry: Columns, fact: ConnectionDeleted) -> Iterable[Change]:
    return (Delete(SOURCE_CONNECTIONS, (fact.connection_id,)),)


RULES: Rules = {
    ConnectionCreated: created,
    ConnectionUpdated: updated,
    ConnectionActivated: activated,
    ConnectionDeactivated: deactivated,
    ConnectionDeleted: deleted,
}
