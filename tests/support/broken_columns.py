"""Exports with a single entry each, whose columns break one rule, or only just obey it. All hashes are correct."""

from collections.abc import Iterator
from typing import Any

from support.chain import Json
from support.exports import (
    MISSING,
    ORG,
    USER,
    Export,
    entry,
    export_of,
    lines,
    redacted,
    resealed,
)
from support.logbook import org, user

ERROR = {"code": "FORBIDDEN", "detail": "no"}
FAILURE: Json = {"result": "failure"}
FAILED: Json = {"error": ERROR}
REGISTER: Json = {"action": "REGISTER_USER", "entity_type": "user", "entity_id": USER, "org_id": None}
REGISTERED: Json = {"key": USER, "scope": "user", "data": {"user_id": USER}}
STRANGER: Json = {"scope": "outsider", "error": ERROR, "data": {"actor_user_id": user(9), "org_id": ORG}}


RULES: list[tuple[str, Json, Json]] = [
    ("metadata_json.v", {}, {"v": 2}),
    ("metadata_json.v", {}, {"v": "1"}),
    ("metadata_json.v", {}, {"v": MISSING}),
    ("metadata_json.principal", {}, {"principal": None}),
    ("metadata_json.principal", {}, {"principal": MISSING, "request": MISSING}),
    ("metadata_json.request", {}, {"request": 5}),
    ("action", {"action": "constructor"}, {}),
    ("action", {"action": "__proto__"}, {}),
    ("action", {"action": None}, {}),
    ("action", {"action": "ESCALATE_ALERT"} | FAILURE, FAILED),
    ("result", {"result": "failed"}, {}),
    ("result", {"result": MISSING}, {}),
    ("entity_type", {"entity_type": 1}, {}),
    ("entity_id", {"entity_id": None}, {}),
    ("entity_id", {"entity_id": ORG.upper()}, {}),
    ("entity_id", {"entity_id": ORG + "\n"}, {}),
    ("org_id", {"org_id": None}, {"data": {"name": "x", "org_id": ORG}}),
    ("org_id", {"org_id": MISSING}, {}),
    ("org_id", {"org_id": False}, {}),
    ("project_id", {"project_id": MISSING}, {}),
    ("project_id", {"project_id": "x"}, {}),
    ("actor_user_id", {"actor_user_id": MISSING}, {}),
    ("actor_user_id", {"actor_user_id": "service"}, {}),
    ("metadata_json.error", FAILURE, {}),
    ("metadata_json.error", FAILURE, {"error": None}),
    ("metadata_json.error", FAILURE, {"error": ["FORBIDDEN", "no"]}),
    ("metadata_json.error", FAILURE, {"error": {"code": "A"}}),
    ("metadata_json.error", FAILURE, {"error": {"code": "A", "detail": 1}}),
    ("metadata_json.error", FAILURE, {"error": ERROR | {"more": ""}}),
    ("metadata_json.error", {}, {"error": ERROR}),
    ("metadata_json.error", {}, {"error": None}),
    ("metadata_json.entries", {}, {"entries": 0}),
    ("metadata_json.entries", {}, {"entries": 1001}),
    ("metadata_json.entries", {}, {"entries": 1.5}),
    ("metadata_json.entries", {}, {"entries": True}),
    ("metadata_json.entries", {}, {"entries": 3, "ordinal": 3}),
    ("metadata_json.scope", {}, {"scope": "user"}),
    ("metadata_json.scope", REGISTER, REGISTERED | {"scope": "org"}),
    ("metadata_json.scope", REGISTER, REGISTERED | {"scope": "policy"}),
    ("metadata_json.scope", {"actor_user_id": USER}, {"scope": "outsider"}),
    ("metadata_json.key", {}, {"key": org(2)}),
    ("metadata_json.key", REGISTER | {"entity_id": user(2)}, REGISTERED),
    ("metadata_json.key", REGISTER | {"org_id": USER, "entity_id": user(2)}, REGISTERED),
    ("metadata_json.key", {"org_id": None} | FAILURE, FAILED),
    ("metadata_json.key", {"org_id": None} | FAILURE, FAILED | {"data": {"org_id": org(2)}}),
    ("metadata_json.key", {"org_id": None} | FAILURE, FAILED | {"data": [ORG]}),
]
"""Each line: a field, changed columns, and changed members of the metadata. The first rule that the changes break is
this field's.
"""


def alone(name: str, only: Json, check: str | None, **members: Any) -> Export:
    """An export of one entry."""
    first = {"check": check, "id": only["id"], "partition": 2, "place": "export", "position": 0} | members
    return Export(name, export_of({2: lines([only])}), first if check else None)


def without(changed: Json, name: str) -> Json:
    metadata = {key: value for key, value in changed["metadata_json"].items() if key != name}
    return resealed(changed | {"metadata_json": metadata})


def columns_broken() -> Iterator[Export]:
    """The expected finding of each export names the first field that breaks its rule, and the value found there."""
    for number, (field, columns, metadata) in enumerate(RULES):
        only = entry(columns=columns, metadata=metadata)
        holder, _, name = field.rpartition(".")
        members = only["metadata_json"] if holder else only
        found = {"found": members[name]} if name in members else {}
        yield alone(f"columns {number}: {field}", only, "columns", field=field, **found)


def columns_in_excess() -> Iterator[Export]:
    yield alone("columns: a surplus column", entry(columns={"toString": 1}), "columns")
    yield alone("columns: a surplus member of metadata", entry(metadata={"__proto__": {}}), "columns")


def redacted_columns_broken() -> Iterator[Export]:
    bare = redacted(entry(metadata={"data": {}}))
    yield alone(
        "columns: a redacted entry without commit", without(bare, "commit"), "columns", field="metadata_json.commit"
    )
    yield alone(
        "columns: a redacted entry of another org",
        redacted(entry(metadata={"key": org(2)})),
        "columns",
        field="metadata_json.key",
        found=org(2),
    )


def columns_kept() -> Iterator[Export]:
    """Valid entries that only just meet the rules."""
    for number, (columns, metadata) in enumerate(
        [
            (FAILURE, FAILED | {"data": {}}),
            (REGISTER | FAILURE, REGISTERED | STRANGER),
            (REGISTER | FAILURE | {"actor_user_id": USER, "org_id": ORG}, REGISTERED | STRANGER),
            (REGISTER | {"org_id": ORG}, REGISTERED),
            ({"org_id": None, "action": "ADD_MEMBER"} | FAILURE, STRANGER),
            ({"org_id": None} | FAILURE, FAILED | {"data": {"org_id": ORG}}),
            ({}, {"entries": 1000, "ordinal": 999}),
            ({"actor_user_id": USER, "project_id": ORG, "entity_type": ""}, {"scope": "policy", "request": ""}),
        ]
    ):
        yield alone(f"columns kept {number}", entry(columns=columns, metadata=metadata), None)
