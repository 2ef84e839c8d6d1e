"""An entry as one row of a table, for spreadsheets and analysis: JCS bytes in, cells out. Pure.

A row holds all values of the entry, but not its bytes, so the row proves nothing.
"""

from typing import Any, Final

from daybook_contracts.json.canonical import NotCanonical, canonical_bytes, parse_as_ecmascript

Cell = str | int | None

INTEGERS: Final = ("partition", "position", "ordinal", "entries", "v")
ENTRY_COLUMNS: Final = (
    "id",
    "org_id",
    "project_id",
    "actor_user_id",
    "action",
    "entity_type",
    "entity_id",
    "result",
    "created_at",
)
METADATA_COLUMNS: Final = (
    "principal",
    "scope",
    "key",
    "command_id",
    "ordinal",
    "entries",
    "request",
    "data",
    "salt",
    "commit",
    "prev",
    "hash",
    "v",
)
COLUMNS: Final = (
    "partition",
    "position",
    *ENTRY_COLUMNS,
    "error_code",
    "error_detail",
    *METADATA_COLUMNS,
)


def row_of(partition: int, position: int, value: bytes) -> tuple[Cell, ...]:
    """The cells in the order of COLUMNS. `data` is JCS text. A value that does not have the type of its column is JCS
    text too, or None in a column of integers.
    """
    entry = _object(parse_as_ecmascript(value.decode()))
    metadata = _object(entry.get("metadata_json"))
    error = _object(metadata.get("error"))
    columns = {name: entry.get(name) for name in ENTRY_COLUMNS} | {
        "error_code": error.get("code"),
        "error_detail": error.get("detail"),
        **{name: metadata.get(name) for name in METADATA_COLUMNS},
        "partition": partition,
        "position": position,
    }
    data = columns["data"]
    columns["data"] = None if data is None else canonical_bytes(data).decode()
    return tuple(_cell(name, columns[name]) for name in COLUMNS)


def _object(found: object) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _cell(name: str, found: object) -> Cell:
    if name in INTEGERS:
        return found if type(found) is int else None
    if found is None or isinstance(found, str):
        return found
    try:
        return canonical_bytes(found).decode()
    except NotCanonical:  # not in an admitted entry
        return None
