"""Generates the table of entry data in docs/verify.md from the structs into which the product parses entries."""

from typing import Any, Final, get_args, get_type_hints

from msgspec import Raw, UnsetType
from msgspec.structs import fields

from daybook_contracts.entries.facts import ENTRY_DATA, DlqFilter
from daybook_contracts.entries.fields import (
    Count,
    Fact,
    FreeObject,
    ProjectRole,
    Resolution,
    Role,
    Rule,
    Severity,
    Uuid,
    Uuids,
)

_FORMS: Final = (
    (Uuid, "uuid"),
    (Uuids, "uuids"),
    (str, "text"),
    (Count, "count"),
    (Role, "role"),
    (ProjectRole, "project role"),
    (Severity, "severity"),
    (Resolution, "resolution"),
    (Rule, "rule"),
    (FreeObject, "object"),
    (Raw, "any"),
    (DlqFilter, "filter"),
)


def data_forms() -> str:
    """Each action, and the members of its success entry's data with their forms; `?` marks those that may be absent."""
    rows = "\n".join(f"| `{action}` | {_members(kind)} |" for action, kind in ENTRY_DATA.items())
    return f"| action | data |\n|---|---|\n{rows}"


def _members(kind: type[Fact]) -> str:
    hints = get_type_hints(kind, include_extras=True)
    return ", ".join(
        f"`{field.name}`{'' if field.required else '?'} {_form(field.name, hints[field.name])}"
        for field in fields(kind)
    )


def _form(name: str, hint: Any) -> str:
    if name in {"changed", "config"}:  # `fields.py` checks more than the types of these two say
        return {"changed": "false", "config": "config"}[name]
    (alone,) = [part for part in get_args(hint) if part is not UnsetType] if _is_optional(hint) else [hint]
    (form,) = [form for known, form in _FORMS if known == alone]
    return form


def _is_optional(hint: Any) -> bool:
    return UnsetType in get_args(hint)
