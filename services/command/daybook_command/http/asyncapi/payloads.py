"""The payload schemas of the AsyncAPI document, in JSON Schema draft 7, from the models of the contract."""

from typing import Any, Final

import msgspec
from pydantic import TypeAdapter

from daybook_contracts.commands.registry import AnyCommand
from daybook_contracts.entries.entry import Entry
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.publish import record_schema

Schema = dict[str, Any]

REF: Final = "#/components/schemas/{}"


def payload_schemas() -> dict[str, Schema]:
    """The schemas of `components`, by name."""
    commands: dict[str, Schema] = TypeAdapter(AnyCommand).json_schema(ref_template=REF.replace("{}", "{model}"))[
        "$defs"
    ]
    structs = (Entry, *ENTRY_DATA.values())
    _, entries = msgspec.json.schema_components(structs, ref_template=REF.replace("{}", "{name}"))
    return {**commands, **entries, **record_schema(REF.replace("{}", "{name}"))["$defs"]}


def reference(name: str) -> Schema:
    return {"$ref": REF.format(name)}


def success_entry(action: str) -> Schema:
    """An entry whose `data` is the action's fact."""
    metadata = {"properties": {"data": reference(ENTRY_DATA[action].__name__), "error": False}}
    return _entry({"action": {"const": action}, "result": {"const": "success"}, "metadata_json": metadata})


def failure_entry() -> Schema:
    return _entry({"result": {"const": "failure"}, "metadata_json": {"required": ["error"]}})


def _entry(properties: Schema) -> Schema:
    return {"allOf": [reference("Entry"), {"properties": properties}]}
