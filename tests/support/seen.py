"""Describes an org as a dict, from the deciders' state or from the tables, so that a test can compare the two dicts.

The tables are {primary key: the other columns}, and have only this org's rows.
"""

from hashlib import sha256
from typing import Any

from daybook_command.domain.connections import Connection
from daybook_command.domain.state import Org
from daybook_contracts.json.canonical import canonical_bytes
from support.recounted import recounted
from support.tables import Tables

Seen = dict[str, object]


def seen_by_deciders(org: Org) -> Seen:
    projects = org.projects.items()
    return {
        "org": org.name,
        "members": dict(org.members),
        "owners": org.owners,
        "projects": {id_: made.name for id_, made in projects},
        "project members": {(id_, user_id): role for id_, made in projects for user_id, role in made.members.items()},
        "connections": {id_: _seen(made) for id_, made in org.connections.items()},
        "runs": {id_: (run.connection_id, run.status) for id_, run in org.runs.items()},
        "dead letters": {
            id_: (letter.connection_id, letter.pending, letter.retry_count) for id_, letter in org.dead_letters.items()
        },
        "alerts": {id_: (alert.project_id, alert.severity) for id_, alert in org.alerts.items()},
        "secret refs": {id_: (ref.key_name, ref.digest) for id_, ref in org.secret_refs.items()},
        "key names": dict(org.key_names),
    }


def _seen(made: Connection) -> tuple[object, ...]:
    assert made.activity is not None
    doing = (made.activity.config, made.activity.running, made.activity.failures, made.activity.pending)
    return (made.project_id, made.type, made.name, made.active, made.key_names, *doing)


def seen_in_tables(rows: Tables) -> Seen:
    members = {user_id: role for (_, user_id), (role, _) in rows["org_members"].items()}
    refs = {id_: (key_name, ref) for (id_,), (_, key_name, ref) in rows["secret_refs"].items()}
    return {
        "org": next(name for name, _ in rows["orgs"].values()),
        "members": members,
        "owners": list(members.values()).count("owner"),
        "projects": {id_: name for (id_,), (_, name, _) in rows["projects"].items()},
        "project members": {key: role for key, (role, _) in rows["project_members"].items()},
        "connections": {id_: _posted(rows, id_, row) for (id_,), row in rows["source_connections"].items()},
        "runs": {id_: row[:2] for (id_,), row in rows["sync_runs"].items()},
        "dead letters": {
            id_: (connection_id, status == "pending", retry_count)
            for (id_,), (connection_id, _, status, retry_count) in rows["dlq_events"].items()
        },
        "alerts": {id_: row[:2] for (id_,), row in rows["integration_alerts"].items()},
        "secret refs": {id_: (key_name, sha256(ref.encode()).digest()) for id_, (key_name, ref) in refs.items()},
        "key names": {key_name: id_ for id_, (key_name, _) in refs.items()},
    }


def _posted(rows: Tables, connection_id: str, row: tuple[Any, ...]) -> tuple[object, ...]:
    _, project_id, type_, name, config, active = row
    pending, failed, running = recounted(rows)[connection_id,]
    doing = (sha256(canonical_bytes(config)).digest(), running, failed, pending)
    return (project_id, type_, name, active, frozenset(config.get("secrets", {}).values()), *doing)
