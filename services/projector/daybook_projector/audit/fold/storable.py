"""What PostgreSQL refuses to store although the log can hold it: text and JSON with a NUL. Pure."""

import re
from typing import Final

from daybook_projector.projections.changes import Change, Delete, FoldError, Insert

NUL_ESCAPE: Final = "\\u0000"
"""A canonical record without this text holds no NUL."""

_NUL_IN_JSON: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def require_storable(change: Change) -> None:
    """Raises `FoldError`."""
    if isinstance(change, Delete):
        return
    values = change.row if isinstance(change, Insert) else change.values
    for column, value in values.items():
        if isinstance(value, str) and _has_nul(value, is_json=change.table.columns[column] == "jsonb"):
            raise FoldError(f"the {column} of a row of {change.table.name} has a NUL")


def _has_nul(value: str, *, is_json: bool) -> bool:
    return _NUL_IN_JSON.search(value) is not None if is_json else "\0" in value
