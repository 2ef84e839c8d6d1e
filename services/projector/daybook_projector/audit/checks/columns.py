"""The rules of an entry's columns, in the order in which a verifier tries them (docs/verify.md, `columns`)."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from msgspec import UNSET

from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.limits import ENTRIES
from daybook_contracts.routing import partition_of
from daybook_projector.audit.checks.fault import Fault
from daybook_projector.audit.checks.forms import Json, is_number, is_uuid

Rule = Callable[[Json, Json], bool]
"""Takes an entry and its metadata, and returns whether they satisfy the rule. The checks of the id and the commit come
first, so a rule can rely on scope, key, command id and ordinal: they are there, and have the right form.
"""

_USER_ACTION: Final = "REGISTER_USER"
_POLICY_ONLY: Final = "ESCALATE_ALERT"

COLUMNS: Final = frozenset(
    {
        "action",
        "actor_user_id",
        "created_at",
        "entity_id",
        "entity_type",
        "id",
        "metadata_json",
        "org_id",
        "project_id",
        "result",
    }
)
METADATA: Final = frozenset(
    {
        "command_id",
        "commit",
        "data",
        "entries",
        "error",
        "hash",
        "key",
        "ordinal",
        "partition",
        "position",
        "prev",
        "principal",
        "request",
        "salt",
        "scope",
        "v",
    }
)


def column_fault(entry: Json, metadata: Json, partition: int, partitions: int | None) -> Fault | None:
    """The fault of the first rule that does not hold. If the number of partitions is known, also checks that the org
    belongs to this partition. An export does not contain that number.
    """
    for field, holds in _RULES:
        if not holds(entry, metadata):
            return Fault("columns", found=_member(entry, metadata, field), field=field)
    if not entry.keys() <= COLUMNS or not metadata.keys() <= METADATA:
        return Fault("columns")
    org_id = entry["org_id"]
    if partitions is None or org_id is None:
        return None
    home = partition_of(org_id, partitions)
    return None if home == partition else Fault("columns", home, partition, "metadata_json.partition")


def is_redacted(entry: Json) -> bool:
    metadata = entry["metadata_json"]
    return metadata.get("data", UNSET) is None and metadata.get("salt", UNSET) is None


def member_of_data(metadata: Json, name: str) -> Any:
    """The value of a member of `data`; None if there is no such member, or if `data` is not an object."""
    data = metadata.get("data")
    return data.get(name) if isinstance(data, dict) else None


def _member(entry: Json, metadata: Json, field: str) -> Any:
    outside, _, inside = field.partition(".")
    return metadata.get(inside, UNSET) if inside else entry.get(outside, UNSET)


def _is_version_1(_entry: Json, metadata: Json) -> bool:
    return is_number(metadata.get("v"), 1)


def _is_text(name: str, _entry: Json, metadata: Json) -> bool:
    return isinstance(metadata.get(name), str)


def _is_action(entry: Json, _metadata: Json) -> bool:
    action = entry.get("action")
    is_known = isinstance(action, str) and action in ENTRY_DATA
    return is_known and not (action == _POLICY_ONLY and entry.get("result") == "failure")


def _is_result(entry: Json, _metadata: Json) -> bool:
    return entry.get("result") in ("success", "failure")


def _is_entity_type(entry: Json, _metadata: Json) -> bool:
    return isinstance(entry.get("entity_type"), str)


def _is_entity_id(entry: Json, _metadata: Json) -> bool:
    return is_uuid(entry.get("entity_id"))


def _is_org(entry: Json, metadata: Json) -> bool:
    needs_org = entry["result"] == "success" and entry["action"] != _USER_ACTION
    return is_uuid(entry.get("org_id")) if needs_org else _is_uuid_or_null("org_id", entry, metadata)


def _is_uuid_or_null(name: str, entry: Json, _metadata: Json) -> bool:
    found = entry.get(name, UNSET)
    return found is None or is_uuid(found)


def _is_error(entry: Json, metadata: Json) -> bool:
    error = metadata.get("error", UNSET)
    if entry["result"] == "success":
        return error is UNSET
    is_whole = isinstance(error, dict) and error.keys() == {"code", "detail"}
    return is_whole and all(isinstance(text, str) for text in error.values())


def _is_number_of_entries(_entry: Json, metadata: Json) -> bool:
    entries = metadata.get("entries")
    return type(entries) is int and metadata["ordinal"] < entries <= ENTRIES


def _is_scope(entry: Json, metadata: Json) -> bool:
    scope = metadata["scope"]
    if scope == "outsider":
        return bool(entry["result"] == "failure")
    return bool((scope == "user") == (entry["action"] == _USER_ACTION))


def _is_key(entry: Json, metadata: Json) -> bool:
    key = metadata["key"]
    if entry["action"] == _USER_ACTION:
        return bool(key == entry["entity_id"])
    if entry["org_id"] is not None:
        return bool(key == entry["org_id"])
    return is_redacted(entry) or bool(key == member_of_data(metadata, "org_id"))


_RULES: Final[tuple[tuple[str, Rule], ...]] = (
    ("metadata_json.v", _is_version_1),
    ("metadata_json.commit", partial(_is_text, "commit")),
    ("metadata_json.prev", partial(_is_text, "prev")),
    ("metadata_json.principal", partial(_is_text, "principal")),
    ("metadata_json.request", partial(_is_text, "request")),
    ("action", _is_action),
    ("result", _is_result),
    ("entity_type", _is_entity_type),
    ("entity_id", _is_entity_id),
    ("org_id", _is_org),
    ("project_id", partial(_is_uuid_or_null, "project_id")),
    ("actor_user_id", partial(_is_uuid_or_null, "actor_user_id")),
    ("metadata_json.error", _is_error),
    ("metadata_json.entries", _is_number_of_entries),
    ("metadata_json.scope", _is_scope),
    ("metadata_json.key", _is_key),
)
