"""What must hold of an entry whose place and hash are right: id, commit, columns, time and data (docs/verify.md)."""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from msgspec import UNSET, Raw

from daybook_contracts.entries.entry import VERSION
from daybook_contracts.entries.facts import ENTRY_DATA, decode_fact
from daybook_contracts.entries.hashing import commit_hash
from daybook_contracts.entries.identity import Identity
from daybook_contracts.entries.reading import is_time
from daybook_contracts.json.canonical import canonical_bytes
from daybook_contracts.limits import ENTRIES
from daybook_contracts.log.head import Head
from daybook_contracts.routing import partition_of
from daybook_contracts.text import UUID_PATTERN, printable
from daybook_projector.audit.checks.finding import Check

Json = dict[str, Any]

_UUID: Final = re.compile(UUID_PATTERN)
_SALT: Final = re.compile("[0-9a-f]{32}")
_SCOPES: Final = ("org", "user", "outsider", "policy")
_COLUMNS: Final = frozenset(
    {
        "id",
        "org_id",
        "project_id",
        "actor_user_id",
        "action",
        "entity_type",
        "entity_id",
        "result",
        "metadata_json",
        "created_at",
    }
)


class Fault(NamedTuple):
    check: Check
    expected: Any = UNSET
    found: Any = UNSET


class Expected(NamedTuple):
    """What is known of the place of an entry. `head` is None where there is no chain: in a filtered export."""

    partition: int
    head: Head | None
    created_at: str = ""
    partitions: int | None = None


def own_fault(entry: Json, expected: Expected) -> Fault | None:
    """The first of these checks that fails."""
    checks: tuple[Callable[[], Fault | None], ...] = (
        lambda: _id_fault(entry),
        lambda: _commit_fault(entry),
        lambda: _column_fault(entry, expected),
        lambda: _time_fault(entry, expected),
        lambda: _data_fault(entry),
    )
    return next((fault for check in checks if (fault := check()) is not None), None)


def is_redacted(entry: Json) -> bool:
    metadata = entry["metadata_json"]
    return metadata.get("data", 0) is None and metadata.get("salt", 0) is None


def _id_fault(entry: Json) -> Fault | None:
    identity = _identity(entry)
    if identity is None:
        return None if is_redacted(entry) and _scope(entry) == "outsider" else Fault("id", found=entry.get("id"))
    first = identity.first_id()
    return None if entry.get("id") == first else Fault("id", first, entry.get("id"))


def _scope(entry: Json) -> object:
    return entry["metadata_json"].get("scope")


def _identity(entry: Json) -> Identity | None:
    """None if a part of it cannot be read."""
    metadata: Json = entry["metadata_json"]
    scope, ordinal = metadata.get("scope"), metadata.get("ordinal")
    key, command_id = metadata.get("key"), metadata.get("command_id")
    actor = _claimed(entry, "actor_user_id") if scope == "outsider" else None
    are_ids = all(map(_is_uuid, (key, command_id, *([actor] if scope == "outsider" else []))))
    if scope not in _SCOPES or not are_ids or type(ordinal) is not int or not 0 <= ordinal < 2**32:
        return None
    return Identity(scope, str(key), actor, str(command_id), ordinal)


def _claimed(entry: Json, name: str) -> Any:
    """The column, or what the data of a failure names in its place."""
    data = entry["metadata_json"].get("data")
    if entry.get(name) is not None or entry.get("result") == "success" or not isinstance(data, dict):
        return entry.get(name)
    return data.get(name)


def _commit_fault(entry: Json) -> Fault | None:
    if is_redacted(entry):
        return None
    metadata: Json = entry["metadata_json"]
    salt = metadata.get("salt")
    if not isinstance(salt, str) or not _SALT.fullmatch(salt) or "data" not in metadata:
        return Fault("commit", found=metadata.get("commit"))
    digest = commit_hash(bytes.fromhex(salt), canonical_bytes(metadata["data"]))
    return None if digest == metadata.get("commit") else Fault("commit", digest, metadata.get("commit"))


def _column_fault(entry: Json, expected: Expected) -> Fault | None:
    """Whether the columns have their types and agree with the metadata."""
    metadata: Json = entry["metadata_json"]
    has_error = "error" in metadata
    nullable = [entry.get(name) for name in ("org_id", "project_id", "actor_user_id")]
    is_well_formed = (
        entry.keys() == _COLUMNS
        and all(found is None or _is_uuid(found) for found in nullable)
        and _is_uuid(entry.get("entity_id"))
        and isinstance(entry.get("action"), str)
        and isinstance(entry.get("entity_type"), str)
    )
    if not is_well_formed:
        return Fault("columns")
    if entry.get("result") != ("failure" if has_error else "success"):
        return Fault("columns", "failure" if has_error else "success", entry.get("result"))
    return _count_fault(metadata) or _key_fault(entry) or _home_fault(entry, expected)


def _count_fault(metadata: Json) -> Fault | None:
    ordinal, entries = metadata.get("ordinal"), metadata.get("entries")
    is_counted = type(ordinal) is int and type(entries) is int and 0 <= ordinal < entries <= ENTRIES
    return None if is_counted else Fault("columns", found=f"ordinal {ordinal} of {entries}")


def _key_fault(entry: Json) -> Fault | None:
    """Whether the scope is one of the action's, and the key is the org or the user that the entry is about."""
    scope, key = _scope(entry), entry["metadata_json"].get("key")
    if scope == "outsider" and entry.get("result") == "success":
        return Fault("columns", found="a success in scope outsider")
    if (entry.get("action") == "REGISTER_USER") != (scope == "user") and scope != "outsider":
        return Fault("columns", found=f"{entry.get('action')} in scope {scope}")
    if entry.get("action") == "REGISTER_USER":
        return None if entry.get("entity_id") == key else Fault("columns", key, entry.get("entity_id"))
    org_id = _claimed(entry, "org_id")
    if is_redacted(entry) and entry.get("org_id") is None:
        return None
    return None if org_id == key else Fault("columns", key, org_id)


def _home_fault(entry: Json, expected: Expected) -> Fault | None:
    """An org's entries stand in its partition."""
    org_id = entry.get("org_id")
    if expected.partitions is None or org_id is None:
        return None
    home = partition_of(org_id, expected.partitions)
    return None if home == expected.partition else Fault("columns", home, expected.partition)


def _time_fault(entry: Json, expected: Expected) -> Fault | None:
    created_at = entry.get("created_at")
    if not isinstance(created_at, str) or not is_time(created_at):
        return Fault("created_at", found=created_at)
    return None if created_at > expected.created_at else Fault("created_at", expected.created_at, created_at)


def _data_fault(entry: Json) -> Fault | None:
    """Whether data can be read: an object, and of a known version and action."""
    metadata: Json = entry["metadata_json"]
    if metadata.get("v") != VERSION:
        return Fault("data", VERSION, metadata.get("v"))
    if entry["action"] not in ENTRY_DATA:
        return Fault("data", found=f"unknown action {printable(entry['action'])}")
    if is_redacted(entry):
        return None
    if not isinstance(metadata["data"], dict):
        return Fault("data", found="not an object")
    if entry["result"] == "failure":
        return None
    try:
        decode_fact(entry["action"], Raw(canonical_bytes(metadata["data"])))
    except ValueError as error:
        return Fault("data", found=printable(str(error)))
    return None


def _is_uuid(found: object) -> bool:
    return isinstance(found, str) and _UUID.fullmatch(found) is not None
